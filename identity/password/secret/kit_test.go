package secret_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/password/secret"
)

var (
	pin     = secret.PIN{Min: 4, Max: 8}
	grid    = secret.Pattern{Side: 3, Min: 4}
	picture = secret.Clicks{Picture: "harbour-1", Width: 451, Height: 331, Tolerance: 9, Count: 5}
	gallery = secret.Images{Set: "animals-1", Size: 60, Count: 5}
	melody  = secret.Melody{Min: 5, Max: 32}
)

func digits(s string) secret.Entry { return secret.Entry{PIN: []byte(s)} }

func line(nodes ...int) secret.Entry { return secret.Entry{Nodes: nodes} }

func points(xy ...int) (e secret.Entry) {
	for i := 0; i < len(xy); i += 2 {
		e.Points = append(e.Points, secret.Point{X: xy[i], Y: xy[i+1]})
	}
	return e
}

func notes(pitchLength ...int) (e secret.Entry) {
	for i := 0; i < len(pitchLength); i += 2 {
		e.Notes = append(e.Notes, secret.Note{Pitch: pitchLength[i], Length: pitchLength[i+1]})
	}
	return e
}

// samples are one scheme and entry of each kind that can be enrolled.
func samples() map[secret.Kind]struct {
	scheme secret.Scheme
	entry  secret.Entry
} {
	return map[secret.Kind]struct {
		scheme secret.Scheme
		entry  secret.Entry
	}{
		secret.KindPIN:     {pin, digits("271839")},
		secret.KindPattern: {grid, line(1, 5, 6, 4, 2, 0)},
		secret.KindClicks:  {picture, points(10, 20, 300, 40, 77, 310, 210, 200, 440, 5)},
		secret.KindImages:  {gallery, secret.Entry{Images: []int{7, 3, 51, 20, 9}}},
		secret.KindMelody:  {melody, notes(60, 500, 67, 500, 65, 250, 58, 1000, 70, 333, 61, 90)},
	}
}

// meaning is what a secret is, in words that another author found: two are the same exactly when these are.
type meaning struct {
	scheme secret.Scheme
	entry  secret.Entry
	words  string
}

// meanings draws schemes and entries that fit them, of few values, so that two are often nearly or wholly the same.
func meanings() *rapid.Generator[meaning] {
	return rapid.Custom(func(t *rapid.T) meaning {
		few := func(most int) int { return rapid.IntRange(0, most).Draw(t, "few") }
		switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); kind {
		case 0:
			s := rapid.StringMatching(`[01]{4,6}`).Draw(t, "pin")
			return meaning{secret.PIN{Min: 4, Max: 6 + few(1)}, digits(s), "pin " + s}
		case 1:
			p := secret.Pattern{Side: 3 + few(1), Min: 4}
			var row []int // along the first rows, never over a node
			for i := range 4 + few(2) {
				x := i % p.Side
				if i/p.Side%2 == 1 {
					x = p.Side - 1 - x
				}
				row = append(row, i/p.Side*p.Side+x)
			}
			return meaning{p, line(row...), fmt.Sprint("pattern ", p.Side, row)}
		case 2:
			c := secret.Clicks{
				Picture: []string{"a", "b"}[few(1)], Width: 60 + few(1), Height: 60 + few(1), Tolerance: 1 + few(1), Count: 3,
			}
			m := 2*c.Tolerance + 1
			var e secret.Entry
			words := fmt.Sprint("clicks ", c.Picture, c.Width, c.Height, c.Tolerance)
			for range c.Count {
				o := secret.Point{X: few(m - 1), Y: few(m - 1)}
				p := secret.Point{X: few(8), Y: few(8)}
				c.Offsets = append(c.Offsets, o)
				e.Points = append(e.Points, p)
				cell := func(v, o int) int {
					n := 0
					for at := o; at <= v; at += m {
						n++
					}
					return n
				}
				words += fmt.Sprint(" ", o.X, o.Y, " ", cell(p.X, o.X), cell(p.Y, o.Y))
			}
			return meaning{c, e, words}
		case 3:
			g := secret.Images{Set: []string{"a", "b"}[few(1)], Size: 9 + few(1), Count: 3}
			chosen := rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "chosen")[:3]
			return meaning{g, secret.Entry{Images: chosen}, fmt.Sprint("images ", g.Set, g.Size, chosen)}
		default:
			var e secret.Entry
			words := "melody"
			for i := range 5 + few(1) {
				n := secret.Note{Pitch: 60 + few(1)*7, Length: []int{100, 129, 130, 200}[few(3)]}
				e.Notes = append(e.Notes, n)
				if i > 0 {
					words += fmt.Sprint(" ", n.Pitch-e.Notes[i-1].Pitch)
				}
			}
			for i := 1; i < len(e.Notes)-1; i++ {
				a, b := float64(e.Notes[i-1].Length), float64(e.Notes[i].Length)
				words += map[bool]string{b/a >= 1.3: " longer", a/b >= 1.3: " shorter"}[true]
				words += ","
			}
			return meaning{secret.Melody{Min: 5, Max: 6 + few(1)}, e, words}
		}
	})
}

func read(t require.TestingT, s secret.Scheme, e secret.Entry) secret.Secret {
	got, err := s.Read(e)
	require.NoError(t, err)
	require.NotEmpty(t, got.Bytes())
	require.LessOrEqual(t, len(got.Bytes()), 512)
	return got
}

func copied(e secret.Entry) secret.Entry {
	return secret.Entry{
		PIN: slices.Clone(e.PIN), Nodes: slices.Clone(e.Nodes), Points: slices.Clone(e.Points), Images: slices.Clone(e.Images),
		Notes: slices.Clone(e.Notes),
	}
}

func weak(t *testing.T, err error) *secret.WeakError {
	t.Helper()
	var w *secret.WeakError
	require.ErrorAs(t, err, &w)
	return w
}
