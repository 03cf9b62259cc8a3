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
		list := s.Resources
		if len(list) == 0 {
			list = []string{s.ID}
		}
		for _, r := range list {
			switch {
			case strings.ContainsAny(r, `*?[\`):
				m.patterns = append(m.patterns, pattern{r, i})
			case !slices.Contains(m.exact[r], i):
				if m.exact[r] == nil {
					m.order = append(m.order, r)
				}
				m.exact[r] = append(m.exact[r], i)
			}
		}
	}
	return m
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
