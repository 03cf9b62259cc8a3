package oscal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
)

// Version is the version of OSCAL that is written.
const Version = "1.2.1"

// Catalogue returns a catalogue as an OSCAL catalog, whose controls the other documents refer to: groups by clause, and one
// statement for each requirement. OSCAL wants to know when it was last changed, which a catalogue does not say. An error
// wraps [opsec.ErrInvalid].
func Catalogue(c *catalogue.Catalogue, modified time.Time) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("oscal: %w", err)
	}
	at, err := instant(modified)
	if err != nil {
		return nil, err
	}
	b := catalogBuilder{c: c, groups: map[string]int{}, frameworks: map[string]string{}}
	for _, r := range c.Requirements {
		b.add(r)
	}
	b.out.UUID = uuid5("catalogue", c.ID, c.Version)
	b.out.Metadata = metadata{
		Title: text(c.Title), LastModified: at, Version: line(c.Version), OSCALVersion: Version,
		DocumentIDs: []documentID{{c.Name()}},
		Remarks:     prose(c.Source),
	}
	return encode(catalogFile{b.out})
}

type catalogBuilder struct {
	c          *catalogue.Catalogue
	out        catalog
	groups     map[string]int    // clause to its place
	frameworks map[string]string // name to uuid
}

func (b *catalogBuilder) add(r catalogue.Requirement) {
	id := controlToken(b.c.ID, r.ID)
	k := control{
		ID: id, Title: text(r.Title),
		Props: []property{{Name: "label", Value: r.ID}},
		Parts: []part{{ID: id + "_smt", Name: "statement", Prose: prose(r.Text)}},
	}
	for _, category := range r.Categories {
		title := category
		if known, ok := b.c.Category(category); ok {
			title = known.Title
		}
		k.Props = append(k.Props, property{Name: "category", NS: Namespace, Value: category, Remarks: marked(title)})
	}
	for _, ref := range r.Refs {
		k.Links = append(k.Links, link{
			Href: "#" + b.framework(ref.Framework), Rel: "reference", Fragment: url.PathEscape(ref.ID),
			Text: text(ref.Framework + ": " + ref.ID),
		})
	}
	if r.Clause == "" {
		b.out.Controls = append(b.out.Controls, k)
		return
	}
	i, ok := b.groups[r.Clause]
	if !ok {
		i = len(b.out.Groups)
		b.groups[r.Clause] = i
		b.out.Groups = append(b.out.Groups, group{
			ID: controlToken(b.c.ID, r.Clause) + "_clause", Class: "clause", Title: text("Clause " + r.Clause),
			Props: []property{{Name: "label", Value: line(r.Clause)}},
		})
	}
	b.out.Groups[i].Controls = append(b.out.Groups[i].Controls, k)
}

// framework returns the uuid of the resource that stands for a framework.
func (b *catalogBuilder) framework(name string) string {
	if id, ok := b.frameworks[name]; ok {
		return id
	}
	r := resource{UUID: uuid5("framework", name), Title: text(name), Citation: &citation{text(name)}}
	if name == catalogue.SP80053 {
		r.Links = []resLink{{Href: sp80053, MediaType: "application/json"}}
		r.Citation.Text = "NIST Special Publication 800-53, Revision 5: https://doi.org/10.6028/NIST.SP.800-53r5"
	}
	b.frameworks[name] = r.UUID
	if b.out.BackMatter == nil {
		b.out.BackMatter = &backMatter{}
	}
	b.out.BackMatter.Resources = append(b.out.BackMatter.Resources, r)
	return r.UUID
}

// sp80053 is where NIST publishes the controls in OSCAL; a fragment of it is a control's id.
const sp80053 = "https://raw.githubusercontent.com/usnistgov/oscal-content/main/" +
	"nist.gov/SP800-53/rev5/json/NIST_SP-800-53_rev5_catalog.json"

// encode writes a document: indented, with a line break at its end.
func encode(document any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return nil, fmt.Errorf("oscal: %w", err)
	}
	return b.Bytes(), nil
}

// instant writes a time as OSCAL takes it, in UTC.
func instant(t time.Time) (string, error) {
	if t = t.UTC(); t.Year() < 1900 || t.Year() > 2999 {
		return "", fmt.Errorf("oscal: a time in the year %d: want 1900 to 2999: %w", t.Year(), opsec.ErrInvalid)
	}
	return t.Format(time.RFC3339Nano), nil
}
