package claim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec/sla"
)

// place is some data in a phase.
type place struct {
	data  string
	phase sla.Phase
}

// encryption holds what is encrypted beside what was promised. Entries of an agreement for the same data in the same phase are
// choices; what is promised without an algorithm is a promise in words.
func (c *check) encryption() error {
	uses, given, err := collect(c, "encryption", c.s.Encryption, 0)
	if err != nil {
		return err
	}
	type look struct {
		place
		at string
	}
	stated, looked := map[place][]Use{}, map[look]bool{} // in the period
	for _, u := range uses {
		if u.Seen.Before(c.end) {
			at := place{u.Data, u.Phase}
			stated[at] = append(stated[at], u)
			looked[look{at, u.At}] = looked[look{at, u.At}] || !u.Seen.Before(c.from)
		}
	}
	promised := map[place][]sla.Encryption{}
	var order []place
	paths := map[place]string{}
	for i, e := range c.a.Clause.Data.Encryption {
		at := place{e.Data, e.Phase}
		if e.Algorithm == "" && len(stated[at]) == 0 {
			continue
		}
		if promised[at] == nil {
			order, paths[at] = append(order, at), fmt.Sprintf("clause.data.encryption[%d]", i)
		}
		promised[at] = append(promised[at], e)
	}
	for _, at := range order {
		p := c.promise(paths[at])
		p.Looked += len(stated[at])
		if !given || len(stated[at]) == 0 {
			p.unstated()
		}
		for _, u := range stated[at] {
			if u.Seen.Before(c.from) {
				if !looked[look{at, u.At}] {
					p.find(Stale, u.At, u.Seen, u.Evidence, "seen before the period, and not in it")
				}
				continue
			}
			judge(p, u, promised[at])
		}
		delete(stated, at)
	}
	for at, list := range stated {
		for _, u := range list {
			c.unclaimed(u.At, u.Seen, u.Evidence, fmt.Sprintf("%s, %s: nothing is promised of it", at.data, at.phase))
		}
	}
	return nil
}

// judge holds a use beside what was promised, any of it.
func judge(p *Promise, u Use, choices []sla.Encryption) {
	var first *sla.Encryption // of the algorithm
	for i, e := range choices {
		if e.Algorithm == "" || !Covers(e.Algorithm, u.Algorithm) {
			continue
		}
		if u.KeyOwner == e.KeyOwner {
			return
		}
		first = cmp.Or(first, &choices[i])
	}
	names := make([]string, 0, len(choices))
	for _, e := range choices {
		if e.Algorithm == "" {
			return // it need not be encrypted
		}
		names = append(names, e.Algorithm)
	}
	switch {
	case first != nil && u.KeyOwner == "":
		p.find(Unstated, u.At, u.Seen, u.Evidence, "whose the key is, promised is the %s's", first.KeyOwner)
	case first != nil:
		p.find(KeyOwner, u.At, u.Seen, u.Evidence, "the key is the %.100s's, promised is the %s's", u.KeyOwner, first.KeyOwner)
	case u.Algorithm == "":
		p.find(InClear, u.At, u.Seen, u.Evidence, "not encrypted, promised is %s", strings.Join(names, " or "))
	default:
		p.find(Algorithm, u.At, u.Seen, u.Evidence, "%.100s, promised is %s", u.Algorithm, strings.Join(names, " or "))
	}
}

// Covers reports whether an algorithm or protocol is what was promised: the same name, whatever its letter case and dashes,
// with the same numbers or such as are greater in the first place in which they differ. TLS 1.3 is covered by TLS 1.2, and
// AES256_GCM by AES-128-GCM, but not the other way round; AES-256-CBC is neither. So promise names whose numbers are sizes or
// versions, of which more is better.
func Covers(promised, used string) bool {
	a, m := parts(promised)
	b, n := parts(used)
	return used != "" && a == b && slices.CompareFunc(m, n, func(x, y string) int {
		return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
	}) <= 0
}

// same reports whether two names differ in letter case and dashes at most.
func same(a, b string) bool {
	x, m := parts(a)
	y, n := parts(b)
	return x == y && slices.Equal(m, n)
}

// parts takes a name apart: into its letters, with # for each number, and the numbers without leading zeros.
func parts(name string) (letters string, numbers []string) {
	var b strings.Builder
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	for name != "" {
		if rest := strings.TrimLeftFunc(name, digit); len(rest) < len(name) {
			b.WriteByte('#')
			numbers = append(numbers, strings.TrimLeft(name[:len(name)-len(rest)], "0"))
			name = rest
			continue
		}
		r, size := utf8.DecodeRuneInString(name)
		if unicode.IsLetter(r) {
			b.WriteRune(unicode.ToLower(r))
		}
		name = name[size:]
	}
	return b.String(), numbers
}
