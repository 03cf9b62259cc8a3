package shares

import (
	"crypto/hmac"
	"slices"
)

// maxTries is how many thresholds of shares [Combine] tries to tell the bad ones by.
const maxTries = 10_000

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
	for _, share := range list {
		if share.Index() == 0 {
			return nil, &IndexError{0}
		}
	}
	ours, bad := majority(list)
	group := make([]Share, len(ours))
	for i, at := range ours {
		group[i] = list[at]
	}
	if err := distinct(group); err != nil {
		return nil, err
	}
	k := group[0].Threshold()
	switch {
	case len(group) < k && len(bad) == 0:
		return nil, &TooFewError{len(group), k}
	case len(group) < k:
		return nil, &BadShareError{}
	}
	secret, key, ok := search(group, k)
	if !ok {
		return nil, &BadShareError{}
	}
	for i, share := range group {
		if tag := key.tag(share); !hmac.Equal(tag[:tagSize], share.tag()) {
			bad = append(bad, ours[i])
		}
	}
	if len(bad) > 0 {
		clear(secret)
		slices.Sort(bad)
		return nil, &BadShareError{bad}
	}
	return secret, nil
}

// majority splits the positions into those of the set that most belong to, the first such set, and the others.
func majority(list []Share) (most, others []int) {
	type name struct { // what shares of one set have in common
		header string
		size   int
	}
	named := func(s Share) name { return name{s.header(), len(s.raw)} }
	counts := map[name]int{}
	for _, s := range list {
		counts[named(s)]++
	}
	best := named(list[0])
	for _, s := range list {
		if counts[named(s)] > counts[best] {
			best = named(s)
		}
	}
	for i, s := range list {
		if named(s) == best {
			most = append(most, i)
		} else {
			others = append(others, i)
		}
	}
	return most, others
}

// search looks for k shares whose secret is the one that the set's id commits to: at first the first k, then others.
func search(list []Share, k int) (secret []byte, key setKey, ok bool) {
	chosen, picked := make([]int, k), make([]Share, k)
	for i := range chosen {
		chosen[i] = i
	}
	for range maxTries {
		for i, at := range chosen {
			picked[i] = list[at]
		}
		secret, raw := solve(picked, Share.secret), solve(picked, Share.key)
		key := newKey(raw)
		clear(raw)
		id, want := key.commit(k, list[0].Of(), secret), list[0].Set()
		if hmac.Equal(id[:], want[:]) {
			return secret, key, true
		}
		clear(secret)
		if !next(chosen, len(list)) {
			break
		}
	}
	return nil, setKey{}, false
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
// the old ones: when holders come and go, or a share may have been seen. The secret is in memory meanwhile. Old shares do not combine with new ones. Those who
// have a threshold of old ones still have the secret: let them be destroyed. Its errors are those of [Set.Combine].
func (s *Set) Refresh(list []Share, scheme Scheme) (*Set, []Share, error) {
	secret, err := s.Combine(list)
	if err != nil {
		return nil, nil, err
	}
	defer clear(secret)
	return split(secret, scheme, s.ID)
}
