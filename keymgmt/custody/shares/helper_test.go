package shares_test

import (
	"bytes"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var root = []byte("0123456789abcdef0123456789ABCDEF")

func deal(t require.TestingT, secret []byte, k, n int) (*shares.Set, []shares.Share) {
	set, list, err := shares.Split(secret, shares.Scheme{Label: "root", Threshold: k, Shares: n})
	require.NoError(t, err)
	require.Len(t, list, n)
	return set, list
}

// pick returns the shares with these indexes.
func pick(list []shares.Share, indexes ...int) (picked []shares.Share) {
	for _, i := range indexes {
		picked = append(picked, list[i-1])
	}
	return picked
}

// changed returns a share with one byte of its binary form changed; ok is false where that is no share any more.
func changed(s shares.Share, at int, flip byte) (shares.Share, bool) {
	b := bytes.Clone(s.Bytes())
	b[at] ^= flip
	c, err := shares.ParseShare(b)
	return c, err == nil
}

// positions are those of the bad shares.
func positions(t require.TestingT, err error) []int {
	var bad *shares.BadShareError
	require.ErrorAs(t, err, &bad)
	return slices.Clone(bad.Positions)
}
