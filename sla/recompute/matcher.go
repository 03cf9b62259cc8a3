package recompute

import (
	"path"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/sla"
)

// matcher finds the services of a resource, by number.
type matcher struct {
	exact    map[string][]int
	order    []string // what is named, in the agreement's order
	seen     map[string]bool
	patterns []pattern
	found    []int
}

type pattern struct {
	text    string
	service int
}

func newMatcher(a *sla.Agreement) *matcher {
	m := &matcher{exact: map[string][]int{}, seen: map[string]bool{}}
	for i, s := range a.Services {
		if len(s.Resources) == 0 {
			m.name(s.ID, i)
		}
		for _, r := range s.Resources {
			if one, ok := only(r); ok {
				m.name(one, i)
			} else {
				m.patterns = append(m.patterns, pattern{r, i})
			}
		}
	}
	return m
}

// name notes a resource that the agreement names.
func (m *matcher) name(resource string, service int) {
	if m.exact[resource] == nil {
		m.order = append(m.order, resource)
	}
	if !slices.Contains(m.exact[resource], service) {
		m.exact[resource] = append(m.exact[resource], service)
	}
}

// only returns the one name that a pattern stands for, if it is one: a backslash takes the meaning of what follows it.
func only(pattern string) (name string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?', '[':
			return "", false
		case '\\':
			if i++; i == len(pattern) {
				return "", false
			}
		}
		b.WriteByte(pattern[i])
	}
	return b.String(), true
}

// of returns the services of a resource. They are valid until it is called again.
func (m *matcher) of(resource string) []int {
	list := m.exact[resource]
	if list != nil {
		m.seen[resource] = true
	}
	m.found = append(m.found[:0], list...)
	for _, p := range m.patterns {
		if ok, err := path.Match(p.text, resource); ok && err == nil && !slices.Contains(m.found, p.service) {
			m.found = append(m.found, p.service)
		}
	}
	return m.found
}

// unseen returns what is named and has not been asked for.
func (m *matcher) unseen() []string {
	return slices.DeleteFunc(slices.Clone(m.order), func(r string) bool { return m.seen[r] })
}
