package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	zeebo "github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
)

// oracle is what other implementations say of p.
func oracle(p []byte, sha bool) Sums {
	s := Sums{Size: int64(len(p)), BLAKE3: zeebo.Sum256(p)}
	if sha {
		s.SHA256 = sha256.Sum256(p)
	}
	return s
}

func TestSumMeetsOfficialVectors(t *testing.T) {
	for _, v := range vectors(t) {
		p := pattern(v.Length)
		for _, opts := range []*Options{nil, {Workers: 1}, {Workers: 3, SHA256: true}} {
			require.Equal(t, v.BLAKE3, Sum(p, opts).BLAKE3, "%d bytes", v.Length)
			sums, err := SumReaderAt(t.Context(), bytes.NewReader(p), int64(v.Length), opts)
			require.NoError(t, err)
			require.Equal(t, v.BLAKE3, sums.BLAKE3, "%d bytes", v.Length)
		}
	}
}

func TestSumEqualsOraclesAtEveryBoundary(t *testing.T) {
	limit := 8<<20 + 1
	if testing.Short() {
		limit = 2<<20 + 1
	}
	p := noise(limit)
	for i, n := range boundaries(limit) {
		opts := &Options{SHA256: i%2 == 0, Workers: []int{1, 2, 3, 7}[i/2%4]}
		want := oracle(p[:n], opts.SHA256)
		require.Equal(t, want, Sum(p[:n], opts), "%d bytes, %+v", n, opts)
		sums, err := SumReaderAt(t.Context(), bytes.NewReader(p), int64(n), opts)
		require.NoError(t, err)
		require.Equal(t, want, sums, "%d bytes, %+v", n, opts)
	}
}

func TestSumEqualsOraclesWithAnyWorkers(t *testing.T) {
	p := noise(5 * readSize)
	for _, n := range []int{GroupSize, GroupSize + 1, readSize, readSize + 1, 2*readSize - 1, 5 * readSize} {
		for _, workers := range []int{-1, 0, 1, 2, 3, 7, 1000} {
			for _, sha := range []bool{false, true} {
				opts := &Options{SHA256: sha, Workers: workers}
				sums, err := SumReaderAt(t.Context(), bytes.NewReader(p), int64(n), opts)
				require.NoError(t, err)
				require.Equal(t, oracle(p[:n], sha), sums, "%d bytes, %+v", n, opts)
			}
		}
	}
}

func TestSumEqualsOraclesAtAnyLength(t *testing.T) {
	p := noise(4 << 20)
	rapid.Check(t, func(t *rapid.T) {
		q := p[:rapid.IntRange(0, len(p)).Draw(t, "length")]
		opts := &Options{SHA256: rapid.Bool().Draw(t, "sha"), Workers: rapid.IntRange(0, 9).Draw(t, "workers")}
		sums, err := SumReaderAt(context.Background(), bytes.NewReader(q), int64(len(q)), opts)
		require.NoError(t, err)
		require.Equal(t, oracle(q, opts.SHA256), sums)
	})
}

func FuzzSumDifferential(f *testing.F) {
	for _, n := range []uint32{0, 1, 64, 1 << 10, 1<<10 + 1, leafSize - 1, GroupSize, GroupSize + 1, 1<<20 + 7} {
		f.Add([]byte("seed"), n, uint8(n))
	}
	f.Fuzz(func(t *testing.T, seed []byte, n uint32, workers uint8) {
		// A short seed reaches long contents: it is repeated, with a counter that keeps the chunks apart.
		n %= 3 << 20
		p := make([]byte, 0, int(n)+len(seed)+4)
		for i := byte(0); len(p) < int(n); i++ {
			p = append(append(p, seed...), i, byte(len(p)>>8), byte(len(p)>>16))
		}
		p = p[:n]
		want := oracle(p, true)
		opts := &Options{SHA256: true, Workers: int(workers)}
		require.Equal(t, want, Sum(p, opts))
		sums, err := SumReaderAt(context.Background(), bytes.NewReader(p), int64(n), opts)
		require.NoError(t, err)
		require.Equal(t, want, sums)
	})
}

// slowReader takes longer for some pieces than for others, so that workers overtake each other; in a bubble of
// [synctest] that costs no time.
type slowReader struct {
	io.ReaderAt
	reads atomic.Int64
}

func (r *slowReader) ReadAt(p []byte, off int64) (int, error) {
	r.reads.Add(1)
	time.Sleep(time.Duration(off/GroupSize*7919%13) * time.Millisecond)
	return r.ReaderAt.ReadAt(p, off)
}

func TestScanKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := noise(12*readSize + GroupSize + 5)
		for _, workers := range []int{1, 2, 3, 7} {
			var cvs []Digest
			s := Scan{SHA256: true, Workers: workers, Groups: func(first int64, more []Digest) error {
				require.EqualValues(t, len(cvs), first)
				cvs = append(cvs, more...)
				return nil
			}}
			sums, _, err := s.ReaderAt(t.Context(), &slowReader{ReaderAt: bytes.NewReader(p)}, int64(len(p)))
			require.NoError(t, err)
			require.Equal(t, oracle(p, true), sums)

			var want []Digest
			var tree GroupTree
			for group := range slices.Chunk(p, GroupSize) {
				want = append(want, new(Hasher).group(group, int64(len(want))))
			}
			require.Equal(t, want, cvs)
			for _, cv := range cvs {
				tree.Push(cv)
			}
			require.Equal(t, sums.BLAKE3, tree.Root())
		}
	})
}

func TestScanOfOneGroupHasNoChainingValues(t *testing.T) {
	s := Scan{Groups: func(int64, []Digest) error { panic("called") }, Stop: func() bool { panic("asked") }}
	for _, n := range []int{0, 1, GroupSize} {
		sums, _, err := s.ReaderAt(t.Context(), bytes.NewReader(noise(n)), int64(n))
		require.NoError(t, err)
		require.Equal(t, oracle(noise(n), false), sums)
	}
}

// pauseAfter is a stop function that is true when it is asked for the nth time.
func pauseAfter(n int) func() bool {
	return func() bool { n--; return n == 0 }
}

func throughJSON(t *testing.T, p *Partial) *Partial {
	data, err := json.Marshal(struct{ State *Partial }{p})
	require.NoError(t, err)
	var back struct{ State *Partial }
	require.NoError(t, json.Unmarshal(data, &back))
	return back.State
}

func TestScanResumesFromEveryPiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces = 9
		p := noise(pieces*readSize - 100)
		for _, sha := range []bool{false, true} {
			want := oracle(p, sha)
			for _, workers := range []int{1, 2, 3, 7} {
				for at := 1; at < pieces; at++ {
					r := &slowReader{ReaderAt: bytes.NewReader(p)}
					s := Scan{SHA256: sha, Workers: workers, Stop: pauseAfter(at)}
					sums, half, err := s.ReaderAt(t.Context(), r, int64(len(p)))
					require.Equal(t, ErrPaused, err)
					require.Zero(t, sums)
					require.EqualValues(t, at*readSize, half.offset())

					half = throughJSON(t, half)
					var first []int64
					s.From, s.Stop = half, nil
					s.Groups = func(i int64, _ []Digest) error { first = append(first, i); return nil }
					for range 2 { // the partial is not used up
						first = nil
						sums, _, err = s.ReaderAt(t.Context(), r, int64(len(p)))
						require.NoError(t, err)
						require.Equal(t, want, sums)
						require.EqualValues(t, at*readSize/GroupSize, first[0])
					}
					require.EqualValues(t, at+2*(pieces-at), r.reads.Load(), "a piece was read again")
				}
			}
		}
	})
}

func TestScanInLargePieces(t *testing.T) {
	p := noise(40<<20 + 12345)
	for _, workers := range []int{2, 3} {
		asked := 0
		s := Scan{Workers: workers, Stop: func() bool { asked++; return asked == 5 }}
		_, half, err := s.ReaderAt(t.Context(), bytes.NewReader(p), int64(len(p)))
		require.Equal(t, ErrPaused, err)
		_, size := s.split(int64(len(p)))
		require.Greater(t, size, int64(readSize))
		require.Equal(t, 5*size, half.offset())

		var tree GroupTree
		s = Scan{Workers: workers, Groups: func(first int64, cvs []Digest) error {
			require.Equal(t, tree.n, first)
			for _, cv := range cvs {
				tree.Push(cv)
			}
			return nil
		}}
		sums, _, err := s.ReaderAt(t.Context(), bytes.NewReader(p), int64(len(p)))
		require.NoError(t, err)
		require.Equal(t, oracle(p, false), sums)
		require.Equal(t, sums.BLAKE3, tree.Root())

		s = Scan{Workers: workers + 1, From: half}
		sums, _, err = s.ReaderAt(t.Context(), bytes.NewReader(p), int64(len(p)))
		require.NoError(t, err)
		require.Equal(t, oracle(p, false), sums)
	}
}

func TestScanSplitsWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Scan{Workers: rapid.IntRange(-1, 100).Draw(t, "workers"), SHA256: rapid.Bool().Draw(t, "sha")}
		n := rapid.Int64Range(1, 1<<63-1).Draw(t, "bytes")
		workers, size := s.split(n)
		require.True(t, workers >= 1 && workers <= maxWorkers)
		require.True(t, size >= readSize && size <= pieceSize && size%readSize == 0)
		require.LessOrEqual(t, int64(workers), (n-1)/size+1, "a worker without a piece")
		require.True(t, !s.SHA256 || size == readSize)
	})
	workers, size := Scan{Workers: 2}.split(1 << 30)
	require.Equal(t, [2]int64{2, pieceSize}, [2]int64{int64(workers), size})
}

func TestScanEndsAtTheLargestOffset(t *testing.T) {
	for _, sha := range []bool{false, true} {
		for _, workers := range []int{1, 2} {
			s := Scan{Workers: workers, SHA256: sha}
			at, err := s.begin(1<<63 - 1)
			require.NoError(t, err)
			at.tree.n = 1<<47 - 100
			s.From = at
			sums, _, err := s.ReaderAt(t.Context(), zeros{}, 1<<63-1)
			require.NoError(t, err)
			require.NotZero(t, sums.BLAKE3)
		}
	}
}

func TestScanMakesProgressAtEveryCall(t *testing.T) {
	p := noise(6*readSize + 1)
	s := Scan{SHA256: true, Stop: func() bool { return true }}
	var sums Sums
	calls := 0
	for err := ErrPaused; err != nil; calls++ {
		require.Equal(t, ErrPaused, err)
		sums, s.From, err = s.ReaderAt(t.Context(), bytes.NewReader(p), int64(len(p)))
		if s.From != nil {
			s.From = throughJSON(t, s.From)
		}
	}
	require.Equal(t, 7, calls)
	require.Equal(t, oracle(p, true), sums)
}

func TestScanRefusesAnotherScansPartial(t *testing.T) {
	p := noise(3 * readSize)
	_, half, err := Scan{Stop: pauseAfter(1)}.ReaderAt(t.Context(), bytes.NewReader(p), int64(len(p)))
	require.Equal(t, ErrPaused, err)
	for name, try := range map[string]struct {
		s    Scan
		size int64
	}{
		"other size":    {Scan{From: half}, int64(len(p)) + 1},
		"small size":    {Scan{From: half}, 1},
		"other digests": {Scan{From: half, SHA256: true}, int64(len(p))},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := try.s.ReaderAt(t.Context(), bytes.NewReader(p), try.size)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
}

func TestScanAsksThePaceBeforeEachRead(t *testing.T) {
	for _, size := range []int64{0, 10, GroupSize, 5*readSize + 3} {
		for _, workers := range []int{1, 3} {
			r := &slowReader{ReaderAt: bytes.NewReader(make([]byte, size))}
			var granted, calls int64
			s := Scan{Workers: workers, Pace: func(_ context.Context, n int) error {
				require.LessOrEqual(t, r.reads.Load(), calls)
				calls++
				granted += int64(n)
				return nil
			}}
			_, _, err := s.ReaderAt(t.Context(), r, size)
			require.NoError(t, err)
			require.Equal(t, size, granted)
		}
	}
}

// Each way out of a scan ends with all goroutines gone: synctest fails a test that leaves one in its bubble.
func TestScanLeavesNoGoroutine(t *testing.T) {
	p := noise(20 * readSize)
	size := int64(len(p))
	refuse := errors.New("refused")
	for _, workers := range []int{1, 2, 7} {
		for name, try := range map[string]struct {
			scan Scan
			size int64
			want error
		}{
			"end":          {Scan{}, size, nil},
			"pause":        {Scan{Stop: pauseAfter(9)}, size, ErrPaused},
			"groups fails": {Scan{Groups: func(int64, []Digest) error { return refuse }}, size, refuse},
			"pace fails":   {Scan{Pace: func(context.Context, int) error { return refuse }}, size, refuse},
			"truncated":    {Scan{}, size + 1, io.ErrUnexpectedEOF},
			"much missing": {Scan{}, 1 << 40, io.ErrUnexpectedEOF},
		} {
			t.Run(fmt.Sprintf("%s/%d", name, workers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := try.scan
					s.Workers, s.SHA256 = workers, workers == 2
					_, _, err := s.ReaderAt(t.Context(), &slowReader{ReaderAt: bytes.NewReader(p)}, try.size)
					require.ErrorIs(t, err, try.want)
				})
			})
		}
	}
}

func TestScanStopsWithTheContext(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			r := &slowReader{ReaderAt: zeros{}}
			start := time.Now()
			_, half, err := Scan{Workers: workers}.ReaderAt(ctx, r, 1<<40)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Nil(t, half)
			require.LessOrEqual(t, time.Since(start), 62*time.Millisecond, "longer than one read after the end")
		})
		synctest.Test(t, func(t *testing.T) { // a pace that waits
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			pace := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
			_, _, err := Scan{Workers: workers, Pace: pace}.ReaderAt(ctx, zeros{}, 1<<40)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

// zeros is an endless content.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// somePartial is one of each kind.
func somePartial(t testing.TB, sha bool) *Partial {
	p := noise(4 * readSize)
	s := Scan{SHA256: sha, Stop: pauseAfter(3)}
	_, half, err := s.ReaderAt(t.Context(), bytes.NewReader(p), int64(len(p)))
	require.Equal(t, ErrPaused, err)
	return half
}

func TestPartialHasOneEncoding(t *testing.T) {
	data, err := json.Marshal(somePartial(t, true))
	require.NoError(t, err)
	good := string(data)
	var p Partial
	require.NoError(t, json.Unmarshal([]byte(good), &p))
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(good, ",", " ,\n\t")), &p), "white space is no matter")
	kept := p

	change := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	cv := good[strings.Index(good, `["`)+2:][:64]
	for name, bad := range map[string]string{
		"empty object":        `{}`,
		"array":               `[]`,
		"string":              `"paused"`,
		"unknown field":       change(`{`, `{"x":1,`),
		"duplicate field":     change(`{`, `{"size":2097152,`),
		"other case":          change(`"size"`, `"Size"`),
		"other order":         change(`{"size":2097152,"groups":24,`, `{"groups":24,"size":2097152,`),
		"negative size":       change(`2097152`, `-2097152`),
		"size of one group":   change(`2097152`, `65536`),
		"float size":          change(`2097152`, `2097152.0`),
		"huge size":           change(`2097152`, `9223372036854775808`),
		"negative groups":     change(`"groups":24`, `"groups":-12`),
		"groups of the end":   change(`"groups":24`, `"groups":32`),
		"groups beyond":       change(`"groups":24`, `"groups":9223372036854775807`),
		"too few groups":      change(`"groups":24`, `"groups":8`),
		"groups of other sha": change(`"groups":24`, `"groups":28`),
		"no groups":           change(`"groups":24`, `"groups":0`),
		"null stack":          good[:strings.Index(good, `[`)] + `null` + good[strings.Index(good, `]`)+1:],
		"short stack":         change(`"`+cv+`",`, ``),
		"long stack":          change(`"`+cv+`"`, `"`+cv+`","`+cv+`"`),
		"upper-case CV":       change(cv, strings.ToUpper(cv)),
		"short CV":            change(cv, cv[:62]),
		"empty sha":           change(`"sha256":"`, `"sha256":"","x":"`),
		"null sha":            good[:strings.Index(good, `"sha256":`)] + `"sha256":null}`,
		"short sha":           change(`"sha256":"c2hh`, `"sha256":"`),
		"foreign sha":         change(`"sha256":"c2hh`, `"sha256":"c2hi`),
		"endless":             good + strings.Repeat(" ", 8<<10),
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, p.UnmarshalJSON([]byte(bad)), opsec.ErrInvalid)
			require.Equal(t, kept, p, "a refused encoding changed the partial")
		})
	}
	require.ErrorIs(t, p.UnmarshalJSON([]byte("null")), opsec.ErrInvalid)
	require.ErrorIs(t, p.UnmarshalJSON([]byte(good[:100])), opsec.ErrInvalid)
}

func TestPartialOfTheLargestContentFits(t *testing.T) {
	p := Partial{size: 1<<63 - 1, tree: GroupTree{n: 1<<47 - 1}}
	for i := range p.tree.depth() {
		p.tree.stack[i] = Digest{byte(i), 1}
	}
	require.Equal(t, p, *throughJSON(t, &p))
}

func FuzzPartialJSON(f *testing.F) {
	for _, sha := range []bool{false, true} {
		data, err := json.Marshal(somePartial(f, sha))
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"size":65537,"groups":0,"stack":[]}`))
	f.Add([]byte(`{"size":9223372036854775807,"groups":280737488355327,"stack":[]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Partial
		if err := p.UnmarshalJSON(data); err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Zero(t, p)
			return
		}
		encoded, err := p.MarshalJSON()
		require.NoError(t, err)
		var given bytes.Buffer
		require.NoError(t, json.Compact(&given, data))
		require.Equal(t, given.String(), string(encoded))

		// Whatever was accepted can be continued, to the end or to the next pause.
		s := Scan{Workers: 2, SHA256: p.sha != nil, From: &p, Stop: pauseAfter(3)}
		_, half, err := s.ReaderAt(t.Context(), zeros{}, p.size)
		if err != nil {
			require.Equal(t, ErrPaused, err)
			require.Greater(t, half.offset(), p.offset())
		}
	})
}
