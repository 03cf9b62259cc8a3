package digest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	zeebo "github.com/zeebo/blake3"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/digest"
)

func ExampleSum() {
	sums := digest.Sum([]byte("abc"), &digest.Options{SHA256: true})
	fmt.Println(sums.Size)
	fmt.Println(sums.BLAKE3)
	fmt.Println(sums.SHA256)
	// Output:
	// 3
	// 6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85
	// ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
}

func ExampleSumReaderAt() {
	image := strings.NewReader(strings.Repeat("block device ", 100_000))
	sums, err := digest.SumReaderAt(context.Background(), image, image.Size(), nil)
	fmt.Println(sums.Size, sums.BLAKE3, err)

	_, err = digest.SumReaderAt(context.Background(), image, image.Size()+1, nil)
	fmt.Println(err)
	// Output:
	// 1300000 af6287791502e6628e9cb3eea519f9f33e02a0c34696d5debd06140e11176a98 <nil>
	// digest: reading at offset 1300000: unexpected EOF
}

func ExampleParseDigest() {
	d, err := digest.ParseDigest("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
	fmt.Println(d == digest.Sum(nil, nil).BLAKE3, err)
	_, err = digest.ParseDigest("AF13")
	fmt.Println(err)
	// Output:
	// true <nil>
	// digest: digest of 4 bytes: want 64 lower-case hexadecimal digits: invalid
}

func TestSumOfAFileEqualsThatOfItsBytes(t *testing.T) {
	p := bytes.Repeat([]byte("0123456789abcde\n"), 200_000)
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, p, 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	for _, opts := range []*digest.Options{nil, {SHA256: true}, {Workers: 1}, {Workers: 1000, SHA256: true}} {
		want := digest.Sums{Size: int64(len(p)), BLAKE3: zeebo.Sum256(p)}
		if opts != nil && opts.SHA256 {
			want.SHA256 = sha256.Sum256(p)
		}
		sums, err := digest.SumReaderAt(t.Context(), f, int64(len(p)), opts)
		require.NoError(t, err)
		require.Equal(t, want, sums)
		require.Equal(t, want, digest.Sum(p, opts))
	}
}

// countingReader counts how often each byte was read.
type countingReader struct {
	r     *bytes.Reader
	mu    sync.Mutex
	reads []uint8
	calls int
}

func newCountingReader(p []byte) *countingReader {
	return &countingReader{r: bytes.NewReader(p), reads: make([]uint8, len(p))}
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	for i := range n {
		c.reads[off+int64(i)]++
	}
	return n, err
}

func TestSumReadsEveryByteOnce(t *testing.T) {
	for _, size := range []int64{0, 1, 64 << 10, 64<<10 + 1, 1<<20 + 5, 3 << 20} {
		content := make([]byte, size+1000)
		r := newCountingReader(content)
		sums, err := digest.SumReaderAt(t.Context(), r, size, &digest.Options{SHA256: true, Workers: 3})
		require.NoError(t, err)
		require.Equal(t, digest.Digest(zeebo.Sum256(content[:size])), sums.BLAKE3)
		for i, n := range r.reads {
			if want := i < int(size); n != 1 && want || n != 0 && !want {
				t.Fatalf("size %d: byte %d was read %d times", size, i, n)
			}
		}
	}
}

func TestSumOfATruncatedContent(t *testing.T) {
	p := make([]byte, 3<<20)
	for _, size := range []int64{1, 64 << 10, 64<<10 + 1, 256<<10 + 1, 1 << 20, 3 << 20} {
		for _, missing := range []int64{1, (size + 1) / 2, size} {
			r := bytes.NewReader(p[:size-missing])
			sums, err := digest.SumReaderAt(t.Context(), r, size, nil)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Zero(t, sums)
			offset := fmt.Sprintf("offset %d:", size-missing)
			require.ErrorContains(t, err, offset, "size %d", size)
		}
	}
}

func TestSumRefusesANegativeSize(t *testing.T) {
	_, err := digest.SumReaderAt(t.Context(), bytes.NewReader(nil), -1, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// readerAtFunc is an [io.ReaderAt] of any manners.
type readerAtFunc func(p []byte, off int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

func TestSumReportsWhereTheReaderFailed(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		for _, at := range []int64{0, 1, 100_000, 5 << 20, 7<<20 - 1} {
			failing := readerAtFunc(func(p []byte, off int64) (int, error) {
				if off+int64(len(p)) > at {
					return int(max(at-off, 0)), iotest.ErrTimeout
				}
				return len(p), nil
			})
			_, err := digest.SumReaderAt(t.Context(), failing, 7<<20, &digest.Options{Workers: workers})
			require.ErrorIs(t, err, iotest.ErrTimeout)
			require.ErrorContains(t, err, fmt.Sprintf("offset %d:", at), "%d workers", workers)
		}
	}
}

func TestSumSurvivesReadersThatBreakTheContract(t *testing.T) {
	for name, r := range map[string]readerAtFunc{
		"short without an error": func(p []byte, _ int64) (int, error) { return len(p) / 2, nil },
		"negative count":         func([]byte, int64) (int, error) { return -5, nil },
		"count beyond the buffer": func(p []byte, _ int64) (int, error) {
			return len(p) + 1, nil
		},
		"nothing, with no error": func([]byte, int64) (int, error) { return 0, nil },
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int64{100, 1 << 20} {
				sums, err := digest.SumReaderAt(t.Context(), r, size, nil)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.Zero(t, sums)
			}
		})
	}
	whole := readerAtFunc(func(p []byte, _ int64) (int, error) { clear(p); return len(p), io.EOF })
	sums, err := digest.SumReaderAt(t.Context(), whole, 1<<20, nil)
	require.NoError(t, err, "all bytes with io.EOF are all bytes")
	require.Equal(t, digest.Sum(make([]byte, 1<<20), nil), sums)
}

func TestSumOfACancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, size := range []int64{100, 1 << 20} {
		for _, workers := range []int{1, 2} {
			r := newCountingReader(make([]byte, size))
			_, err := digest.SumReaderAt(ctx, r, size, &digest.Options{Workers: workers})
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, r.calls, "read after the end of the context")
		}
	}
}
