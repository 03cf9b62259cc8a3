package oscal

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/audit/programme"
)

// evidence makes a resource of each piece, named by its digest, and one of its proof.
func (b *builder) evidence(list []programme.Evidence) (all []evidence) {
	for _, e := range list {
		x := evidence{
			Description: text(e.Name),
			Props:       props("digest", e.Digest, "collected", b.time(e.Collected)),
		}
		sum, err := hex.DecodeString(strings.TrimPrefix(e.Digest, "sha256:"))
		if err == nil && len(sum) == 32 && strings.HasPrefix(e.Digest, "sha256:") {
			id := b.known("evidence", e.Digest)
			x.Href = "#" + id
			b.add(resource{
				UUID: id, Title: text(e.Name), Props: []property{{Name: "type", Value: "evidence"}},
				Links: []resLink{{
					// Nobody can fetch it by that name, and everybody can tell whether they have it.
					Href:   "ni:///sha-256;" + base64.RawURLEncoding.EncodeToString(sum),
					Hashes: []hash{{"SHA-256", hex.EncodeToString(sum)}},
				}},
			})
		}
		if e.Proof != "" {
			id := b.known("proof", e.Digest, e.Proof)
			x.Links = []link{{Href: "#" + id, Rel: "proof", Text: "Proof that the log has it"}}
			b.add(resource{
				UUID: id, Title: text("Proof: " + e.Name), Props: []property{{Name: "type", Value: "evidence"}},
				Base64: attach("proof", "application/octet-stream", []byte(e.Proof)),
			})
		}
		for _, who := range append([]string{e.Person}, e.Custody...) {
			if b.o.Tenant == "" && line(who) != "" {
				x.Props = append(x.Props, props("custodian", b.by(who, collects).UUID)...)
			}
		}
		all = append(all, x)
	}
	return all
}

func (b *builder) add(r resource) {
	if !slices.ContainsFunc(b.resources, func(old resource) bool { return old.UUID == r.UUID }) {
		b.resources = append(b.resources, r)
	}
}
