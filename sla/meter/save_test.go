package meter_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/meter"
)

// full is a saved meter that has something of all.
func full(t require.TestingT) []byte {
	m := meter.New()
	for i, e := range []Evidence{
		{Source: "p", Seq: 3, Resource: "vm-1", Span: span(5, 50), State: meter.Up},
		{Source: "p", Seq: 3, Resource: "vm-1", Span: span(5, 50), State: meter.Down},
		{Source: "o", Seq: 1 << 40, Resource: "vm-1", Span: span(-7, meter.Open), State: meter.Degraded},
		{Source: "o", Seq: 4, Resource: "a", Span: span(60, 90), Good: 7, Total: 300},
		{Source: "o", Seq: 5, Resource: "a", Span: span(20, 30), State: meter.Down},
		{Source: "q", Seq: 1, Resource: "b", Span: span(9, 12), Total: 1},
	} {
		if i == 4 {
			s, err := m.Seal(span(0, 40))
			require.NoError(t, err)
			require.NoError(t, m.Add(Evidence{Source: "r", Resource: "c", Span: span(1, 2), State: meter.Up}))
			_, err = m.Restate(s.Period, s.Digest, "a log <was> found")
			require.NoError(t, err)
		}
		require.NoError(t, m.Add(e))
	}
	return save(t, m)
}

func TestWhatWasNotSavedIsNotLoaded(t *testing.T) {
	text := full(t)
	m := load(t, text)
	require.Equal(t, text, save(t, m))
	again, err := meter.Load(iotest.OneByteReader(bytes.NewReader(text)))
	require.NoError(t, err)
	require.Equal(t, text, save(t, again))
	for i := range text {
		_, err := meter.Load(bytes.NewReader(text[:i]))
		require.ErrorIs(t, err, opsec.ErrInvalid, "cut at %d", i)
		changed := bytes.Clone(text)
		changed[i] ^= 1 << (i % 8)
		_, err = meter.Load(bytes.NewReader(changed))
		require.ErrorIs(t, err, opsec.ErrInvalid, "changed at %d", i)
	}
	broken := errors.New("the disk is gone")
	_, err = meter.Load(io.MultiReader(bytes.NewReader(text[:40]), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	for n := range len(text) {
		require.Error(t, m.Save(&short{n}))
	}
}

// short is a disk that is full after some bytes.
type short struct{ left int }

func (s *short) Write(b []byte) (int, error) {
	if len(b) > s.left {
		return 0, errors.New("full")
	}
	s.left -= len(b)
	return len(b), nil
}

// form is a saved meter with the right digest.
func form(body string) []byte {
	b := []byte("opsec sla meter 1\n" + body)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// TestFormsOfOthersAreRefused loads what is signed with the right digest, but is not what Save writes.
func TestFormsOfOthersAreRefused(t *testing.T) {
	const seals = "\x02[]"
	name := "\x02vm\x01\x01s" // a resource, and its only source
	good := form(seals + "\x01" + name + "\x01\x01\x07\x00\x05" + "\x00")
	m := load(t, good)
	require.Equal(t, good, save(t, m))
	for what, body := range map[string]string{
		"no seals":                 "\x04null\x00\x00",
		"a space":                  "\x03[ ]\x00\x00",
		"a seal of nothing":        "\x2c" + `[{"period":{"start":0,"end":9},"digest":"a"}]` + "\x00\x00",
		"many seals":               "\xff\xff\xff\xff\x0f[]\x00\x00",
		"no sources":               seals + "\x01\x02vm\x00\x00",
		"no pieces":                seals + "\x01" + name + "\x00\x00",
		"no name":                  seals + "\x01\x00\x01\x01s\x01\x01\x07\x00\x05\x00",
		"no name of a source":      seals + "\x01\x02vm\x01\x00\x01\x01\x07\x00\x05\x00",
		"no UTF-8":                 seals + "\x01\x02\xff\xff\x01\x01s\x01\x01\x07\x00\x05\x00",
		"a name too long":          seals + "\x01\x81\x08vm",
		"a resource twice":         seals + "\x02" + name + "\x01\x01\x07\x00\x05" + name + "\x01\x01\x08\x00\x05" + "\x00",
		"a source twice":           seals + "\x01\x02vm\x02\x01s\x01\x01\x07\x00\x05\x01s\x01\x01\x08\x00\x05\x00",
		"a piece twice":            seals + "\x01" + name + "\x02\x01\x07\x00\x05\x01\x00\x09\x05\x00",
		"the better first":         seals + "\x01" + name + "\x02\x01\x07\x00\x05\x02\x00\x09\x05\x00",
		"no kind":                  seals + "\x01" + name + "\x01\x05\x07\x00\x05\x01\x01\x00",
		"a number too high":        seals + "\x01" + name + "\x02\x01\x07\x00\x05\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x05\x00",
		"a number of 65 bits":      seals + "\x01" + name + "\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00\x05\x00",
		"a number not at its best": seals + "\x01" + name + "\x01\x01\x87\x00\x00\x05\x00",
		"a start too late":         seals + "\x01" + name + "\x01\x01\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x05\x00",
		"a length too long":        seals + "\x01" + name + "\x01\x01\x07\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
		"an end that is open":      seals + "\x01" + name + "\x01\x01\x07\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00",
		"no requests":              seals + "\x01" + name + "\x01\x04\x07\x00\x05\x00\x00\x00",
		"more requests than fit":   seals + "\x01" + name + "\x01\x04\x07\x00\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x00",
		"open requests":            seals + "\x01" + name + "\x01\x04\x07\x00\x00\x01\x01\x00",
		"late, and nothing sealed": seals + "\x00\x01" + name + "\x01\x01\x07\x00\x05",
	} {
		_, err := meter.Load(bytes.NewReader(form(body)))
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		require.NotContains(t, err.Error(), "digest: it is another", what)
	}
}

func TestSealsThatAreNotOfTheEvidenceAreRefused(t *testing.T) {
	text := full(t)
	sign := func(from, to string) error {
		b := bytes.Replace(bytes.Clone(text[:len(text)-sha256.Size]), []byte(from), []byte(to), 1)
		require.NotEqual(t, text[:len(b)], b)
		sum := sha256.Sum256(b)
		_, err := meter.Load(bytes.NewReader(append(b, sum[:]...)))
		return err
	}
	require.ErrorIs(t, sign("\x03\x03\x0a\x2d", "\x03\x03\x0c\x2d"), opsec.ErrInvalid) // a moment of evidence
	require.ErrorIs(t, sign(`"end":40`, `"end":41`), opsec.ErrInvalid)
	require.ErrorIs(t, sign(`"end":40`, `"end":-1`), opsec.ErrInvalid)
	require.ErrorIs(t, sign(`"cites":"sha256:`, `"cites":"sha257:`), opsec.ErrInvalid)
	require.ErrorIs(t, sign(`"digest":"sha256:`, `"digest":"sha257:`), opsec.ErrInvalid)
}

// TestChainsOfSealsThatNobodyMadeAreRefused loads a meter without evidence whose seals are not what Seal and Restate make.
func TestChainsOfSealsThatNobodyMadeAreRefused(t *testing.T) {
	p := span(0, 9)
	old, last := "sha256:"+strings.Repeat("0a", sha256.Size), meter.New().Digest(p)
	load := func(seals ...meter.Seal) error {
		text, err := json.Marshal(seals)
		require.NoError(t, err)
		_, err = meter.Load(bytes.NewReader(form(string(binary.AppendUvarint(nil, uint64(len(text)))) + string(text) + "\x00\x00")))
		return err
	}
	chain := func(change func(first, next *meter.Seal)) error {
		first, next := meter.Seal{Period: p, Digest: old}, meter.Seal{Period: p, Digest: last, Cites: old, Why: "why"}
		change(&first, &next)
		return load(first, next)
	}
	require.NoError(t, chain(func(*meter.Seal, *meter.Seal) {}))
	require.NoError(t, load(meter.Seal{Period: p, Digest: last}))
	for what, change := range map[string]func(first, next *meter.Seal){
		"a first that says why":      func(first, _ *meter.Seal) { first.Why = "why" },
		"a first that cites":         func(first, _ *meter.Seal) { first.Cites = last },
		"a first that cites itself":  func(first, _ *meter.Seal) { first.Cites, first.Why = old, "why" },
		"a second that cites none":   func(_, next *meter.Seal) { next.Cites, next.Why = "", "" },
		"a second without a reason":  func(_, next *meter.Seal) { next.Why = "" },
		"a second with a blank":      func(_, next *meter.Seal) { next.Why = " " },
		"a second with a long one":   func(_, next *meter.Seal) { next.Why = strings.Repeat("x", meter.MaxName+1) },
		"a second that cites itself": func(first, next *meter.Seal) { first.Digest, next.Cites = last, last },
		"other periods":              func(first, _ *meter.Seal) { first.Period.End++ },
		"capital letters": func(first, next *meter.Seal) {
			first.Digest = "sha256:" + strings.ToUpper(old[7:])
			next.Cites = first.Digest
		},
		"no prefix": func(first, next *meter.Seal) {
			first.Digest = strings.Repeat("0a", 35) + "0"
			next.Cites = first.Digest
		},
		"too long": func(first, next *meter.Seal) { first.Digest += "0a"; next.Cites = first.Digest },
	} {
		require.ErrorIs(t, chain(change), opsec.ErrInvalid, what)
	}
}

// TestWhatCountsIsNotKeptAsideAsWell loads a piece that counts, and one that was kept aside: the same, and another.
func TestWhatCountsIsNotKeptAsideAsWell(t *testing.T) {
	m := meter.New()
	require.NoError(t, m.Add(Evidence{Source: "s", Seq: 7, Resource: "vm", Span: span(0, 5), State: meter.Up}))
	_, err := m.Seal(span(0, 9))
	require.NoError(t, err)
	text := save(t, m)
	text = text[len("opsec sla meter 1\n") : len(text)-sha256.Size-1] // without the number of those that are kept aside
	vm := string(text[len(text)-len("\x01\x02vm\x01\x01s\x01\x01\x07\x00\x05"):])
	_, err = meter.Load(bytes.NewReader(form(string(text) + vm)))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "late")
	_, err = meter.Load(bytes.NewReader(form(string(text) + strings.Replace(vm, "\x05", "\x06", 1))))
	require.NoError(t, err)
}

// TestAPieceMayBeInManySealedPeriods saves and loads many seals, and restates them: it takes time by the pieces of each.
func TestAPieceMayBeInManySealedPeriods(t *testing.T) {
	const days = 300
	m := meter.New()
	for i := range int64(days) {
		require.NoError(t, m.Add(Evidence{Source: "s", Seq: uint64(i), Resource: "vm", Span: span(10*i, 10*i+10), State: meter.Up}))
	}
	var seals []meter.Seal
	for i := range int64(days) {
		for _, p := range []Span{span(10*i, 10*i+10), span(0, 10*i+10)} { // each day, and all days up to it
			s, err := m.Seal(p)
			require.NoError(t, err)
			seals = append(seals, s)
		}
	}
	require.Equal(t, seals[0], seals[1])
	late := Evidence{Source: "log", Resource: "vm", Span: span(1995, 2005), State: meter.Down} // of days 199 and 200
	require.NoError(t, m.Add(late))
	m = load(t, save(t, m))
	got, err := m.Restate(span(2000, 2010), m.Digest(span(2000, 2010)), "a log was found")
	require.NoError(t, err)
	require.Len(t, got, 2+days-199, "two days, and all sums from the first of them on")
	for _, s := range got {
		require.Equal(t, m.Digest(s.Period), s.Digest)
	}
	require.Equal(t, save(t, m), save(t, load(t, save(t, m))))
}

func FuzzLoad(f *testing.F) {
	text := full(f)
	f.Add(text[:len(text)-sha256.Size])
	f.Add([]byte("opsec sla meter 1\n\x02[]\x00\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sum := sha256.Sum256(text) // else nothing would come so far
		text = append(text, sum[:]...)
		m, err := meter.Load(bytes.NewReader(text))
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		out := save(t, m)
		require.Equal(t, out, text[:len(out)], "what is loaded is what is saved")
		m.Digest(span(-100, 100))
	})
}
