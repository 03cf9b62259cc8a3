package oscal

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/cloudopsec/opsec/audit/programme"
)

// evidence is what an observation rests on.
func (b *builder) evidence(list []programme.Evidence) (all []evidence) {
	for _, e := range list {
		x := evidence{Description: text(e.Name), Props: props("digest", e.Digest, "collected", b.time(e.Collected))}
		if id := b.kept(e); id != "" {
			x.Href = "#" + id
		}
		x.Links = b.proof(e)
		for _, who := range append([]string{e.Person}, e.Custody...) {
			if line(who) != "" {
				x.Props = append(x.Props, props("custodian", b.by(who, collects).UUID)...)
			}
		}
		all = append(all, x)
	}
	return all
}

// links are to the evidence of an action, which has no other place for it.
func (b *builder) links(list []programme.Evidence) (all []link) {
	for _, e := range list {
		if id := b.kept(e); id != "" {
			all = append(all, link{Href: "#" + id, Rel: "evidence", Text: text(e.Name)})
		}
		all = append(all, b.proof(e)...)
	}
	return all
}

// kept makes a piece of evidence a resource that is named by its digest (RFC 6920); nobody can fetch it by that name, and
// everybody can tell whether they have it. What has no digest is none.
func (b *builder) kept(e programme.Evidence) string {
	digits, ok := strings.CutPrefix(e.Digest, "sha256:")
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil || len(sum) != 32 {
		return ""
	}
	id := b.known("evidence", string(sum))
	b.add(resource{
		UUID: id, Title: text(e.Name), Props: []property{{Name: "type", Value: "evidence"}},
		Links: []resLink{{
			Href:   "ni:///sha-256;" + base64.RawURLEncoding.EncodeToString(sum),
			Hashes: []hash{{"SHA-256", hex.EncodeToString(sum)}},
		}},
	})
	return id
}

// proof makes the proof of a piece of evidence a resource, when there is one.
func (b *builder) proof(e programme.Evidence) []link {
	if e.Proof == "" {
		return nil
	}
	id := b.known("proof", e.Digest, e.Proof)
	b.add(resource{
		UUID: id, Title: text("Proof: " + e.Name), Props: []property{{Name: "type", Value: "evidence"}},
		Base64: attach("proof", "application/octet-stream", []byte(e.Proof)),
	})
	return []link{{Href: "#" + id, Rel: "proof", Text: "Proof that the log has it"}}
}

func (b *builder) add(r resource) {
	if !b.added[r.UUID] {
		b.added[r.UUID] = true
		b.resources = append(b.resources, r)
	}
}
