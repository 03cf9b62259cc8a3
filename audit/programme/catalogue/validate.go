package catalogue

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a [Catalogue]. Lengths are in bytes.
const (
	MaxBytes        = 1 << 20 // of a file
	MaxRequirements = 4096
	MaxCategories   = 64
	MaxRefs         = 64 // of one requirement
	MaxID           = 64 // of an id, a version or a clause
	MaxTitle        = 256
	MaxText         = 4096
)

// Validate returns a [*SyntaxError] that names the first thing that breaks the form. Parse has done this already.
func (c *Catalogue) Validate() error { return c.check(places{}) }

func (c *Catalogue) check(p places) error {
	wrong := func(what string) error { return &SyntaxError{Line: p.top, What: what} }
	switch {
	case !word(c.ID):
		return wrong("id: want " + wantWord)
	case !word(c.Version):
		return wrong("version: want " + wantWord)
	case !line(c.Title, 1, MaxTitle):
		return wrong("title: want " + wantLine)
	case !line(c.Source, 0, MaxTitle):
		return wrong("source: want " + wantLine)
	case len(c.Categories) > MaxCategories:
		return wrong(fmt.Sprintf("%d categories, want up to %d", len(c.Categories), MaxCategories))
	case len(c.Requirements) == 0 || len(c.Requirements) > MaxRequirements:
		return wrong(fmt.Sprintf("%d requirements, want 1 to %d", len(c.Requirements), MaxRequirements))
	}
	categories, requirements := map[string]bool{}, map[string]bool{}
	for i, k := range c.Categories {
		if what := k.wrong(categories); what != "" {
			return &SyntaxError{p.of(p.categories, i), fmt.Sprintf("category %.64q: %s", k.ID, what)}
		}
		categories[k.ID] = true
	}
	for i, r := range c.Requirements {
		if what := r.wrong(requirements, categories); what != "" {
			return &SyntaxError{p.of(p.requirements, i), fmt.Sprintf("requirement %.64q: %s", r.ID, what)}
		}
		requirements[r.ID] = true
	}
	for i, k := range c.Categories {
		if k.Requirement != "" && !requirements[k.Requirement] {
			return &SyntaxError{p.of(p.categories, i), fmt.Sprintf("category %.64q: its requirement is not there", k.ID)}
		}
	}
	return nil
}

const (
	wantWord = "1 to 64 lower-case letters, digits, '.', '_' and '-'"
	wantID   = "1 to 64 bytes, printable, no spaces"
	wantLine = "one line of up to 256 bytes"
)

// wrong says what is wrong with a category, given those before it; nothing is "".
func (k *Category) wrong(before map[string]bool) string {
	switch {
	case !word(k.ID):
		return "id: want " + wantWord
	case before[k.ID]:
		return "its id stands twice"
	case !line(k.Title, 1, MaxTitle):
		return "title: want " + wantLine
	}
	return ""
}

func (r *Requirement) wrong(before, categories map[string]bool) string {
	switch {
	case !name(r.ID):
		return "id: want " + wantID
	case before[r.ID]:
		return "its id stands twice"
	case !line(r.Clause, 0, MaxID):
		return "clause: want one line of up to 64 bytes"
	case !line(r.Title, 1, MaxTitle):
		return "title: want " + wantLine
	case !lines(r.Text, MaxText):
		return "text: want 1 to 4096 bytes that can be shown"
	case len(r.Refs) > MaxRefs:
		return fmt.Sprintf("%d references, want up to %d", len(r.Refs), MaxRefs)
	}
	for i, id := range r.Categories {
		switch {
		case !categories[id]:
			return "a category that is not in the catalogue"
		case slices.Contains(r.Categories[:i], id):
			return "a category that stands twice"
		}
	}
	for i, ref := range r.Refs {
		switch {
		case !line(ref.Framework, 1, MaxTitle):
			return "a reference's framework: want " + wantLine
		case !name(ref.ID):
			return "a reference's id: want " + wantID
		case slices.Contains(r.Refs[:i], ref):
			return "a reference that stands twice"
		}
	}
	return ""
}

func word(s string) bool {
	return s != "" && len(s) <= MaxID && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

func name(s string) bool { return line(s, 1, MaxID) && !strings.ContainsFunc(s, unicode.IsSpace) }

// line takes text that shows as what it is: no control characters, nothing that turns its direction, no space around it.
func line(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !shown(r) })
}

// lines is line for several of them.
func lines(s string, most int) bool {
	s = strings.TrimSuffix(s, "\n") // as a block of YAML ends
	return line(strings.ReplaceAll(s, "\n", " "), 1, most)
}

// shown reports whether a character is seen, or is one of the two joiners, without which some scripts cannot be written.
func shown(r rune) bool { return unicode.IsGraphic(r) || r == '\u200c' || r == '\u200d' }
