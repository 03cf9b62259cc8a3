package secret_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password/secret"
)

func TestSchemesOutOfBoundsAreRefused(t *testing.T) {
	clicks := func(change func(*secret.Clicks)) secret.Clicks { c := picture; change(&c); return c }
	for want, s := range map[string]secret.Scheme{
		"pin: min is 0":            secret.PIN{},
		"pin: min is 3":            secret.PIN{Min: 3, Max: 4},
		"max 13":                   secret.PIN{Min: 4, Max: 13},
		"min is 5, max 4":          secret.PIN{Min: 5, Max: 4},
		"side is 2":                secret.Pattern{Side: 2, Min: 4},
		"side is 6":                secret.Pattern{Side: 6, Min: 4},
		"pattern: min is 3":        secret.Pattern{Side: 3, Min: 3},
		"pattern: min is 10":       secret.Pattern{Side: 3, Min: 10},
		"clicks: picture":          clicks(func(c *secret.Clicks) { c.Picture = "" }),
		"1 to 64 printing":         clicks(func(c *secret.Clicks) { c.Picture = "a b" }),
		"0 x 331":                  clicks(func(c *secret.Clicks) { c.Width = 0 }),
		"451 x 16385":              clicks(func(c *secret.Clicks) { c.Height = 16_385 }),
		"tolerance is 0":           clicks(func(c *secret.Clicks) { c.Tolerance = 0 }),
		"tolerance is 257":         clicks(func(c *secret.Clicks) { c.Tolerance = 257 }),
		"has 99 cells":             clicks(func(c *secret.Clicks) { c.Width, c.Height = 9*19, 11*19 }),
		"count is 2":               clicks(func(c *secret.Clicks) { c.Count = 2 }),
		"count is 11":              clicks(func(c *secret.Clicks) { c.Count = 11 }),
		"1 offsets":                clicks(func(c *secret.Clicks) { c.Offsets = make([]secret.Point, 1) }),
		"offsets[0]: want 0 to 18": clicks(func(c *secret.Clicks) { c.Offsets = []secret.Point{{X: 19}, {}, {}, {}, {}} }),
		"images: set":              secret.Images{Set: strings.Repeat("x", 65), Size: 9, Count: 3},
		"size is 8":                secret.Images{Set: "x", Size: 8, Count: 3},
		"size is 1001":             secret.Images{Set: "x", Size: 1001, Count: 3},
		"images: count is 2":       secret.Images{Set: "x", Size: 9, Count: 2},
		"images: count is 10":      secret.Images{Set: "x", Size: 9, Count: 10},
		"melody: min is 4":         secret.Melody{Min: 4, Max: 9},
		"min is 9, max 8":          secret.Melody{Min: 9, Max: 8},
		"max 65":                   secret.Melody{Min: 9, Max: 65},
	} {
		err := s.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, want)
		require.ErrorContains(t, err, want)
		_, err = secret.Text(s)
		require.ErrorContains(t, err, want)
		for _, c := range samples() {
			_, err = s.Read(c.entry)
			require.ErrorContains(t, err, want)
			_, _, err = s.Enroll(c.entry)
			require.ErrorContains(t, err, want)
		}
	}
}

func TestParseIsStrict(t *testing.T) {
	for _, bad := range []string{
		``, `{}`, `[]`, `null`, `{"kind":"text"}`, `{"kind":"pin"}`, `{"kind":"pin","min":4}`, `{"kind":"pin","min":4,"max":6,"side":3}`,
		`{"Kind":"pin","min":4,"max":6}`, `{"kind":1,"min":4,"max":6}`, `{"kind":"pin","min":4,"max":6} {}`, `{"kind":"pin","min":"4","max":6}`,
		`{"kind":"pin","min":4,"max":6` + strings.Repeat(" ", 9000) + `}`,
	} {
		_, err := secret.Parse([]byte(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid, bad)
	}
	s, err := secret.Parse([]byte(`{"min":4,"kind":"pin","max":6}`))
	require.NoError(t, err)
	require.Equal(t, secret.PIN{Min: 4, Max: 6}, s)
}

func TestParseEntryIsStrict(t *testing.T) {
	for _, bad := range []string{
		``, `{}`, `null`, `{"pin":""}`, `{"pin":"1234","nodes":[1]}`, `{"password":"x"}`, `{"nodes":[1.5]}`, `{"nodes":"1"}`, `{"points":[{"z":1}]}`,
		`{"pin":"` + strings.Repeat("1", 65) + `"}`, `{"nodes":[` + strings.Repeat("1,", 64) + `1]}`, `{"pin":"1234"}` + strings.Repeat(" ", 9000),
	} {
		_, err := secret.ParseEntry([]byte(bad))
		require.ErrorIs(t, err, secret.ErrEntry, bad)
	}
	for text, want := range map[string]secret.Entry{
		`{"pin":"271839"}`:                      digits("271839"),
		`{"nodes":[1,5,6]}`:                     line(1, 5, 6),
		`{"points":[{"x":1,"y":2}]}`:            points(1, 2),
		`{"images":[4]}`:                        {Images: []int{4}},
		`{"notes":[{"pitch":60,"length":500}]}`: notes(60, 500),
	} {
		got, err := secret.ParseEntry([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestEvenPicturesAreRefused(t *testing.T) {
	for _, chosen := range [][]int{{0, 1, 2, 3, 4}, {50, 40, 30, 20, 10}} {
		_, _, err := gallery.Enroll(secret.Entry{Images: chosen})
		weak(t, err)
	}
	_, err := gallery.Read(secret.Entry{Images: []int{1, 5, 9, 1, 2}})
	require.ErrorIs(t, err, secret.ErrEntry)
	_, _, err = secret.Images{Set: "x", Size: 9, Count: 3}.Enroll(secret.Entry{Images: []int{4, 1, 7}})
	weak(t, err) // 504 choices are none
}

func FuzzParse(f *testing.F) {
	for _, c := range samples() {
		scheme, _, err := c.scheme.Enroll(c.entry)
		require.NoError(f, err)
		text, err := secret.Text(scheme)
		require.NoError(f, err)
		f.Add(text, []byte(`{"pin":"271839"}`))
	}
	for _, e := range []string{
		`{"nodes":[1,5,6,4,2,0]}`, `{"points":[{"x":10,"y":20}]}`, `{"images":[7,3,51,20,9]}`,
		`{"notes":[{"pitch":60,"length":500},{"pitch":67,"length":250}]}`,
	} {
		f.Add([]byte(`{"kind":"pattern","side":5,"min":4}`), []byte(e))
	}
	f.Fuzz(func(t *testing.T, text, entry []byte) {
		e, err := secret.ParseEntry(entry)
		if err != nil {
			require.ErrorIs(t, err, secret.ErrEntry)
		}
		s, err := secret.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		again, err := secret.Text(s)
		require.NoError(t, err)
		same, err := secret.Parse(again)
		require.NoError(t, err)
		require.Equal(t, s.Kind(), same.Kind())
		for _, one := range []secret.Scheme{s, same} {
			kept, made, err := one.Enroll(e)
			if err != nil {
				require.ErrorIs(t, err, opsec.ErrInvalid)
				continue
			}
			require.True(t, made.Equal(read(t, kept, e)))
			require.LessOrEqual(t, made.Estimate().Guesses, made.Estimate().Space)
		}
	})
}

func Example() {
	body := []byte(`{"nodes":[1,5,6,4,2,0]}`) // from the page
	entry, err := secret.ParseEntry(body)
	if err != nil {
		panic(err)
	}
	scheme, s, err := secret.Pattern{Side: 3, Min: 6}.Enroll(entry)
	if err != nil {
		panic(err)
	}
	defer s.Clear()
	text, _ := secret.Text(scheme) // kept in clear, beside the hash of s.Bytes()
	fmt.Printf("%s %v\n", text, s)
	fmt.Println(s.Advice().Attempts, s.Advice().SecondFactor)

	kept, _ := secret.Parse(text) // at log-in
	again, err := kept.Read(entry)
	fmt.Println(again.Equal(s), err)
	_, err = kept.Read(secret.Entry{Nodes: []int{0, 2, 1, 4, 5, 8}})
	fmt.Println(errors.Is(err, secret.ErrEntry), err)
	// Output:
	// {"kind":"pattern","side":3,"min":6} [redacted]
	// 3 true
	// true <nil>
	// true secret: entry: invalid: want a line that passes over no node that it has not visited
}

func ExampleClicks() {
	picture := secret.Clicks{Picture: "harbour-1", Width: 640, Height: 480, Tolerance: 12, Count: 3}
	chosen := secret.Entry{Points: []secret.Point{{X: 100, Y: 80}, {X: 320, Y: 410}, {X: 600, Y: 33}}}
	scheme, s, err := picture.Enroll(chosen)
	if err != nil {
		panic(err)
	}
	near, _ := scheme.Read(secret.Entry{Points: []secret.Point{{X: 112, Y: 68}, {X: 325, Y: 410}, {X: 600, Y: 40}}})
	far, _ := scheme.Read(secret.Entry{Points: []secret.Point{{X: 113, Y: 80}, {X: 320, Y: 410}, {X: 600, Y: 33}}})
	fmt.Println(s.Equal(near), s.Equal(far))
	// Output: true false
}

func ExampleMelody() {
	entry := func(key, ms int) (e secret.Entry) {
		for i, up := range []int{0, 7, 5, 11, 2, 9} {
			e.Notes = append(e.Notes, secret.Note{Pitch: key + up, Length: ms * (1 + i%2)})
		}
		return e
	}
	scheme, s, err := secret.Melody{Min: 6, Max: 20}.Enroll(entry(60, 400))
	if err != nil {
		panic(err)
	}
	higherAndFaster, _ := scheme.Read(entry(65, 250))
	fmt.Println(s.Equal(higherAndFaster))
	// Output: true
}

func ExamplePIN() {
	_, _, err := secret.PIN{Min: 6, Max: 8}.Enroll(secret.Entry{PIN: []byte("251287")}) // somebody's birthday
	var weak *secret.WeakError
	fmt.Println(errors.As(err, &weak), err)
	// Output: true secret: pin: one of the first 100000 to be guessed
}

func ExampleImages() {
	scheme, s, err := secret.Images{Set: "animals-1", Size: 60, Count: 5}.Enroll(secret.Entry{Images: []int{7, 3, 51, 20, 9}})
	fmt.Println(scheme.Kind(), s.Advice().MaxAAL, err)
	text, _ := json.Marshal(s)
	fmt.Println(string(text))
	// Output:
	// images 1 <nil>
	// "[redacted]"
}
