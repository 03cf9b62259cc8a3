package catalogue

import (
	"iter"
	"slices"
)

// SP80053 is the name of the framework that the built-in catalogue refers to: security and privacy controls of the US
// National Institute of Standards and Technology. Ids are in the form of its OSCAL catalogue, "ac-2" or "ac-2.12".
const SP80053 = "NIST SP 800-53 Rev. 5"

// Catalogue is a set of requirements and the categories that audits of them fall in.
type Catalogue struct {
	ID           string        `json:"id"`
	Title        string        `json:"title"`
	Version      string        `json:"version"`
	Source       string        `json:"source,omitempty"` // where the requirements come from
	Categories   []Category    `json:"categories"`
	Requirements []Requirement `json:"requirements"` // in the order of the source
}

// Category is a kind of audit, as 8.11.2 has six.
type Category struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Requirement string `json:"requirement,omitempty"` // id of the requirement that demands audits of this kind
}

// Requirement is one thing that must be so.
type Requirement struct {
	ID         string   `json:"id"`
	Clause     string   `json:"clause,omitempty"` // of the source
	Title      string   `json:"title"`            // a few words
	Text       string   `json:"text"`             // a sentence or two
	Categories []string `json:"categories,omitempty"`
	Refs       []Ref    `json:"refs,omitempty"`
}

// Ref points at what asks for the same in another framework.
type Ref struct {
	Framework string `json:"framework"` // such as [SP80053]
	ID        string `json:"id"`        // as the framework writes it
}

// Name returns id and version, "x1642/1", by which plans and reports name the catalogue.
func (c *Catalogue) Name() string { return c.ID + "/" + c.Version }

// Requirement returns the requirement with this id. It looks through all of them.
func (c *Catalogue) Requirement(id string) (Requirement, bool) {
	i := slices.IndexFunc(c.Requirements, func(r Requirement) bool { return r.ID == id })
	if i < 0 {
		return Requirement{}, false
	}
	return c.Requirements[i], true
}

// Category returns the category with this id.
func (c *Catalogue) Category(id string) (Category, bool) {
	i := slices.IndexFunc(c.Categories, func(k Category) bool { return k.ID == id })
	if i < 0 {
		return Category{}, false
	}
	return c.Categories[i], true
}

// Of yields the requirements of a category, in order.
func (c *Catalogue) Of(category string) iter.Seq[Requirement] {
	return func(yield func(Requirement) bool) {
		for _, r := range c.Requirements {
			if slices.Contains(r.Categories, category) && !yield(r) {
				return
			}
		}
	}
}
