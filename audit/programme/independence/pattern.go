package independence

import (
	"strings"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

const maxText = 512 // bytes of a name or a pattern

// valid reports whether s can be a name: 1 to 512 bytes of UTF-8.
func valid(s string) bool { return s != "" && len(s) <= maxText && utf8.ValidString(s) }

// validPattern reports whether s is a pattern: a text, or the beginning of one with "*" behind it.
func validPattern(s string) bool { return valid(s) && !strings.Contains(s[:len(s)-1], "*") }

// matches reports whether a pattern is one of s.
func matches(pattern, s string) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, start)
	}
	return pattern == s
}

// overlap reports whether there is a text that both patterns match.
func overlap(p, q string) bool {
	a, manyA := strings.CutSuffix(p, "*")
	b, manyB := strings.CutSuffix(q, "*")
	switch {
	case manyA && manyB:
		return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
	case manyA:
		return strings.HasPrefix(b, a)
	case manyB:
		return strings.HasPrefix(a, b)
	}
	return a == b
}

// patterns are ready for matching.
type patterns struct {
	exact  map[string]bool
	starts []string
}

func newPatterns(list []string) patterns {
	p := patterns{exact: map[string]bool{}}
	for _, s := range list {
		if start, ok := strings.CutSuffix(s, "*"); ok {
			p.starts = append(p.starts, start)
		} else {
			p.exact[s] = true
		}
	}
	return p
}

func (p patterns) match(s string) bool {
	if s == "" {
		return false
	}
	if len(p.exact) > 0 && p.exact[s] {
		return true
	}
	for _, start := range p.starts {
		if strings.HasPrefix(s, start) {
			return true
		}
	}
	return false
}

// resources are patterns of resources, ready for matching.
type resources struct {
	exact  map[opsec.Resource]bool
	byType map[string][]opsec.Resource // those with a pattern for the id alone
	others []opsec.Resource
}

func newResources(list []opsec.Resource) resources {
	p := resources{map[opsec.Resource]bool{}, map[string][]opsec.Resource{}, nil}
	for _, r := range list {
		switch {
		case strings.HasSuffix(r.Type, "*"):
			p.others = append(p.others, r)
		case strings.HasSuffix(r.ID, "*"):
			p.byType[r.Type] = append(p.byType[r.Type], r)
		default:
			p.exact[r] = true
		}
	}
	return p
}

func (p resources) match(r opsec.Resource) bool {
	if r.Type == "" {
		return false
	}
	if len(p.exact) > 0 && (p.exact[r] || p.exact[opsec.Resource{Type: r.Type, ID: r.ID}]) {
		return true
	}
	for _, q := range p.byType[r.Type] {
		if (q.Tenant == "" || q.Tenant == r.Tenant) && matches(q.ID, r.ID) {
			return true
		}
	}
	for _, q := range p.others {
		if (q.Tenant == "" || q.Tenant == r.Tenant) && matches(q.Type, r.Type) && matches(q.ID, r.ID) {
			return true
		}
	}
	return false
}
