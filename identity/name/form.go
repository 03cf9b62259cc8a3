package name

import (
	"slices"
	"strings"
)

// Form is what the names of one kind of account have, and no other names.
type Form struct {
	Kind   string `json:"kind"`             // as the caller of Check says it, such as "main" or "database-server"
	Prefix string `json:"prefix,omitempty"` // in canonical form, such as "db-"
	Suffix string `json:"suffix,omitempty"`
}

func (p Policy) validateForms() error {
	for i, f := range p.Forms {
		switch {
		case f.Kind == "" || len(f.Kind) > maxText:
			return invalid("policy: forms[%d]: kind: want 1 to %d bytes", i, maxText)
		case f.Prefix != "" && !canonicalText(f.Prefix) || f.Suffix != "" && !canonicalText(f.Suffix):
			return invalid("policy: forms[%d]: prefix, suffix: want canonical texts of at most %d bytes", i, maxText)
		}
		for j, other := range p.Forms {
			switch {
			case i == j:
			case f.Kind == other.Kind:
				return invalid("policy: forms[%d]: its kind is there twice", max(i, j))
			case f.marks() && other.on(Skeleton(f.Prefix), Skeleton(f.Suffix)) && other.marks():
				return invalid("policy: forms[%d]: its names have the form of forms[%d] too", i, j)
			}
		}
	}
	return nil
}

// form finds what a kind's names have.
func (p Policy) form(kind string) (Form, error) {
	if len(p.Forms) == 0 {
		return Form{Kind: kind}, nil
	}
	at := slices.IndexFunc(p.Forms, func(f Form) bool { return f.Kind == kind })
	if at < 0 {
		return Form{}, invalid("policy: forms: none for a kind of %d bytes", len(kind))
	}
	return p.Forms[at], nil
}

// formed asks for the form of the kind, something between its ends, and nothing that looks like another kind's form.
func (p Policy) formed(n Name, form Form) error {
	switch rest, ok := strings.CutPrefix(n.Canonical, form.Prefix); {
	case !ok:
		return refuseLike(Unformed, form.Prefix)
	case !strings.HasSuffix(rest, form.Suffix):
		return refuseLike(Unformed, form.Suffix)
	case rest == form.Suffix:
		return refuse(Empty)
	}
	for _, other := range p.Forms {
		if other.Kind != form.Kind && other.marks() && other.on(n.Skeleton, n.Skeleton) {
			return refuseLike(OtherForm, other.Prefix+other.Suffix)
		}
	}
	return nil
}

// marks says whether the form can be seen at all.
func (f Form) marks() bool { return f.Prefix+f.Suffix != "" }

// on says whether a skeleton that begins and ends so has the form.
func (f Form) on(begin, end string) bool {
	return strings.HasPrefix(begin, Skeleton(f.Prefix)) && strings.HasSuffix(end, Skeleton(f.Suffix))
}
