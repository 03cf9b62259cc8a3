package secret_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password/secret"
)

// TestToleranceIsExact enrols each pixel of a line across a picture and enters each pixel of that line: of all pairs those
// within the tolerance are accepted, and no other.
func TestToleranceIsExact(t *testing.T) {
	c := secret.Clicks{Picture: "p", Width: 120, Height: 110, Tolerance: 3, Count: 3}
	at := func(x int) secret.Entry { return points(x, 50, 5, 100, 100, 9) }
	wrong, near := 0, 0
	for x := range c.Width {
		scheme, s, err := c.Enroll(at(x))
		require.NoError(t, err)
		for y := range c.Width {
			same := s.Equal(read(t, scheme, at(y)))
			within := max(x-y, y-x) <= c.Tolerance
			if same != within {
				wrong++
			}
			if same {
				near++
			}
		}
	}
	require.Zero(t, wrong)
	require.Equal(t, 120*7-2*(1+2+3), near)
}

func TestClicksNearEnoughAreTheSameSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := secret.Clicks{
			Picture: "p", Width: rapid.IntRange(600, 2000).Draw(t, "width"), Height: rapid.IntRange(600, 2000).Draw(t, "height"),
			Tolerance: rapid.IntRange(1, 25).Draw(t, "tolerance"), Count: rapid.IntRange(3, 10).Draw(t, "count"),
		}
		var first, again secret.Entry
		all := true
		for range c.Count {
			p := secret.Point{X: rapid.IntRange(0, c.Width-1).Draw(t, "x"), Y: rapid.IntRange(0, c.Height-1).Draw(t, "y")}
			off := func(name string) int {
				return rapid.OneOf(rapid.IntRange(-c.Tolerance, c.Tolerance), rapid.SampledFrom([]int{0, 0, -c.Tolerance - 1, c.Tolerance + 1})).Draw(t, name)
			}
			q := secret.Point{X: min(max(p.X+off("dx"), 0), c.Width-1), Y: min(max(p.Y+off("dy"), 0), c.Height-1)}
			all = all && max(p.X-q.X, q.X-p.X, p.Y-q.Y, q.Y-p.Y) <= c.Tolerance
			first.Points, again.Points = append(first.Points, p), append(again.Points, q)
		}
		scheme, s, err := c.Enroll(first)
		if err != nil {
			t.Skip() // two points are one
		}
		require.Equal(t, all, s.Equal(read(t, scheme, again)))
	})
}

func TestOrderOfClicksCounts(t *testing.T) {
	scheme, s, err := picture.Enroll(points(10, 20, 300, 40, 77, 310, 210, 200, 440, 5))
	require.NoError(t, err)
	require.False(t, s.Equal(read(t, scheme, points(300, 40, 10, 20, 77, 310, 210, 200, 440, 5))))
}

func TestClicksThatAreOneAreRefused(t *testing.T) {
	_, _, err := picture.Enroll(points(10, 20, 19, 29, 77, 310, 210, 200, 440, 5))
	require.ErrorIs(t, err, secret.ErrEntry)
	_, _, err = picture.Enroll(points(10, 20, 20, 29, 77, 310, 210, 200, 440, 5))
	require.NoError(t, err)
}

func TestClicksOffThePictureAreRefused(t *testing.T) {
	for _, p := range []secret.Point{{X: -1}, {Y: -1}, {X: 451}, {Y: 331}} {
		_, _, err := picture.Enroll(points(p.X, p.Y, 300, 40, 77, 310, 210, 200, 440, 5))
		require.ErrorIs(t, err, secret.ErrEntry)
	}
	_, err := picture.Read(points(10, 20, 300, 40, 77, 310, 210, 200, 440, 5))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.NotErrorIs(t, err, secret.ErrEntry, "it is the scheme that nobody has enrolled with")
}

// TestClicksCountHotSpots has the picture of the study: 451 x 331 pixels and cells of 19 make 391 cells, five of them 43 bits.
func TestClicksCountHotSpots(t *testing.T) {
	_, s, err := picture.Enroll(samples()[secret.KindClicks].entry)
	require.NoError(t, err)
	require.Equal(t, uint64(391*391)*391*391*391, s.Estimate().Space)
	require.InDelta(t, 30, s.Estimate().Bits(), 1)
}
