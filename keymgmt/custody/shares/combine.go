package shares

import (
	"crypto/hmac"
	"iter"
	"slices"
)

// What [Combine] does to tell the bad shares, beside trying each threshold of neighbours: so many thresholds more, and the
// square of the threshold for each of them at most.
const (
	maxTries = 10_000
	maxWork  = 1 << 20
)

// Combine returns the secret. Shares beyond the threshold are checked as well: if one of all that were given is bad, there
// is no secret but a [*BadShareError] that says which, and the others give it. The set tells a bad share by itself, too few
// or not. An index twice is an [*IndexError], too few a [*TooFewError], and a set that was changed is [ErrSet]. Clear the
// secret after use.
func (s *Set) Combine(list []Share) ([]byte, error) {
	key, err := s.open(list)
	if err != nil {
		return nil, err
	}
	secret := solve(list[:s.Threshold], Share.secret)
	if got := key.commit(s.Threshold, s.Shares, secret); !hmac.Equal(got[:], s.ID[:]) {
		clear(secret)
		return nil, ErrSet
	}
	return secret, nil
}

// open returns the set's key, from shares that the set knows: the secret is not put together.
func (s *Set) open(list []Share) (setKey, error) {
	if err := s.check(list); err != nil {
		return setKey{}, err
	}
	if len(list) < s.Threshold {
		return setKey{}, &TooFewError{len(list), s.Threshold}
	}
	raw := solve(list[:s.Threshold], Share.key)
	defer clear(raw)
	key := newKey(raw)
	if mac := key.mac(s); !hmac.Equal(mac[:], s.MAC[:]) {
		return setKey{}, ErrSet
	}
	return key, nil
}

// Combine returns the secret without the set: from paper, say. Its errors are those of [Set.Combine]; a bad share can be
// named when there is a threshold of good ones beside it. Mind that a threshold of people who agree can hand in whatever
// they like: only the set knows what was dealt.
func Combine(list []Share) ([]byte, error) {
	if len(list) == 0 {
		return nil, &TooFewError{0, 2}
	}
	groups, err := bySet(list)
	if err != nil {
		return nil, err
	}
	if first := groups[0]; len(groups) == 1 && len(first) < list[0].Threshold() {
		return nil, &TooFewError{len(first), list[0].Threshold()}
	}
	var secret []byte
	var good []int // positions
	tries := maxTries
	for _, group := range groups {
		found, positions := search(list, group, &tries)
		if found != nil && secret != nil { // two sets that both open: whose is it?
			clear(found)
			clear(secret)
			return nil, &BadShareError{}
		}
		if found != nil {
			secret, good = found, positions
		}
	}
	switch {
	case secret == nil:
		return nil, &BadShareError{}
	case len(good) < len(list):
		clear(secret)
		bad := new(BadShareError)
		for at := range list {
			if !slices.Contains(good, at) {
				bad.Positions = append(bad.Positions, at)
			}
		}
		return nil, bad
	}
	return secret, nil
}

// bySet returns the positions of the shares by the set that they say they are of, in the order in which these come.
func bySet(list []Share) (groups [][]int, err error) {
	type name struct {
		header string
		size   int
		index  int // or -1
	}
	seen := map[name]int{}
	for at, share := range list {
		if share.Index() == 0 {
			return nil, &IndexError{0}
		}
		set := name{share.header(), len(share.raw()), -1}
		one := set
		one.index = share.Index()
		if _, twice := seen[one]; twice {
			return nil, &IndexError{share.Index()}
		}
		seen[one] = at
		g, ok := seen[set]
		if !ok {
			g = len(groups)
			seen[set], groups = g, append(groups, nil)
		}
		groups[g] = append(groups[g], at)
	}
	return groups, nil
}

// search looks in a group for a threshold of shares whose secret is the one that the set's id commits to. It returns the secret
// and the positions of the shares that are good.
func search(list []Share, group []int, tries *int) (secret []byte, good []int) {
	first := list[group[0]]
	k, id := first.Threshold(), first.Set()
	if len(group) < k {
		return nil, nil
	}
	picked := make([]Share, k)
	for chosen := range choices(len(group), k, tries) {
		for i, c := range chosen {
			picked[i] = list[group[c]]
		}
		body := solve(picked, Share.body)
		size := len(body) - keySize
		key := newKey(body[size:])
		clear(body[size:])
		secret := body[:size:size]
		if got := key.commit(k, first.Of(), secret); !hmac.Equal(got[:], id[:]) {
			clear(secret)
			continue
		}
		for _, at := range group {
			if tag := key.tag(list[at]); hmac.Equal(tag[:tagSize], list[at].tag()) {
				good = append(good, at)
			}
		}
		return secret, good
	}
	return nil, nil
}

// choices yields k out of n: neighbours in a ring at first, one of which has no bad share when there is only one bad, then
// others in the order of the alphabet, as long as there are tries.
func choices(n, k int, tries *int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		chosen := make([]int, k)
		for from := range n {
			for i := range chosen {
				chosen[i] = (from + i) % n
			}
			if !yield(chosen) {
				return
			}
			if n == k {
				return // there is no other
			}
		}
		for i := range chosen {
			chosen[i] = i
		}
		for work := maxWork; *tries > 0 && work > 0 && next(chosen, n); work -= k * k {
			*tries--
			if !yield(chosen) {
				return
			}
		}
	}
}

// next makes of a choice out of n the one that follows it, in the order of the alphabet.
func next(chosen []int, n int) bool {
	i := len(chosen) - 1
	for i >= 0 && chosen[i] == n-len(chosen)+i {
		i--
	}
	if i < 0 {
		return false
	}
	chosen[i]++
	for j := i + 1; j < len(chosen); j++ {
		chosen[j] = chosen[j-1] + 1
	}
	return true
}

// solve returns what a part of the shares is a part of.
func solve(list []Share, part func(Share) []byte) []byte {
	places := make([]byte, len(list))
	for i, s := range list {
		places[i] = byte(s.Index())
	}
	sum := make([]byte, len(part(list[0])))
	for i, w := range weights(places) {
		scaleAdd(sum, part(list[i]), w, sum)
	}
	return sum
}

// Refresh deals new shares of the same secret, under another set key and, if wanted, another scheme, from a threshold of
// the old ones: when holders come and go, or a share may have been seen. The secret is in memory meanwhile. Old shares do
// not combine with new ones. Those who have a threshold of old ones still have the secret: let them be destroyed. Its errors
// are those of [Set.Combine].
func (s *Set) Refresh(list []Share, scheme Scheme) (*Set, []Share, error) {
	secret, err := s.Combine(list)
	if err != nil {
		return nil, nil, err
	}
	defer clear(secret)
	return split(secret, scheme, s.ID)
}
