package claim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/claim"
)

// iaas reads the agreement that the examples are about.
func iaas() *sla.Agreement {
	text, err := os.ReadFile("../testdata/iaas.yaml")
	if err != nil {
		panic(err)
	}
	a, err := sla.Parse(text)
	if err != nil {
		panic(err)
	}
	return a
}

func ExampleCheck() {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	april := march.AddDate(0, 1, 0)
	sources := claim.Sources{
		Patches: claim.List[claim.Patch]{
			{ID: "CVE-2026-1234", System: "host-7", Scope: "virtualization", Released: march, Applied: march.AddDate(0, 0, 20), Evidence: "sha256:4b1d"},
			{ID: "CVE-2026-2345", System: "host-7", Scope: "virtualization", Released: march, Applied: march.AddDate(0, 0, 5), Evidence: "sha256:4b1d"},
		},
		Encryption: claim.List[claim.Use]{
			{Data: "volumes and their backups", Phase: sla.AtRest, At: "eu-1", Algorithm: "AES256_GCM", KeyOwner: "customer", Seen: march, Evidence: "sha256:90c2"},
			{Data: "volumes and their backups", Phase: sla.AtRest, At: "eu-2", Algorithm: "AES128_GCM", KeyOwner: "customer", Seen: march, Evidence: "sha256:90c2"},
		},
	}
	r, err := claim.Check(context.Background(), iaas(), sources, march, april, april)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range r.Promises {
		if p.Looked == 0 {
			continue // nobody has stated anything of it
		}
		fmt.Println(p.Path, p.Verdict)
		for _, f := range p.Findings {
			fmt.Printf("  %s %s: %s (%s)\n", f.Severity, f.Subject, f.Text, f.Evidence)
		}
	}
	// Output:
	// clause.data.encryption[0] breach
	//   high eu-2: AES128_GCM, promised is AES-256-GCM (sha256:90c2)
	// clause.measures.patches.within breach
	//   high CVE-2026-1234 on host-7: applied after 480h0m0s, promised is within 336h0m0s (sha256:4b1d)
	// clause.measures.patches.interval met
}

func ExampleReport_Verdict() {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	april := march.AddDate(0, 1, 0)
	r, err := claim.Check(context.Background(), iaas(), claim.Sources{}, march, april, april)
	fmt.Println(r.Verdict(), err) // nobody has stated anything
	// Output: undecided <nil>
}

func ExampleCovers() {
	fmt.Println(claim.Covers("AES-256-GCM", "AES256_GCM"), claim.Covers("TLS 1.2", "TLS 1.3"), claim.Covers("AES-256-GCM", "AES-256-CBC"))
	// Output: true true false
}

// census is what package keymgmt/statement has written, as JSON; whatever else knows how data is encrypted does as well.
type census struct {
	text   []byte
	digest string
	words  map[string]string // of the agreement, by those of the statement
}

// Statements makes each entry a statement: old keys that still open data are entries of their own.
func (c census) Statements(context.Context, time.Time, time.Time) iter.Seq2[claim.Use, error] {
	return func(yield func(claim.Use, error) bool) {
		var s struct {
			Tenant  string
			Time    time.Time
			Entries []struct {
				Data, Where, At, Algorithm, Protocol string
				Set                                  struct{ Tenant string }
			}
		}
		if err := json.Unmarshal(c.text, &s); err != nil {
			yield(claim.Use{}, err)
			return
		}
		for _, e := range s.Entries {
			u := claim.Use{Data: c.words[e.Data], Phase: sla.AtRest, At: e.At, Algorithm: e.Algorithm, KeyOwner: "provider", Seen: s.Time, Evidence: c.digest}
			if e.Where == "transit" {
				u.Phase, u.Algorithm = sla.InMotion, e.Protocol
			}
			if e.Set.Tenant == s.Tenant {
				u.KeyOwner = "customer"
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}

func ExampleSource() {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	april := march.AddDate(0, 1, 0)
	keys := census{
		text: []byte(`{"tenant": "acme", "time": "2026-03-31T22:00:00Z", "entries": [
			{"data": "traffic", "where": "transit", "at": "api", "protocol": "TLS 1.3", "algorithm": "TLS_AES_128_GCM_SHA256"},
			{"data": "volumes", "where": "storage", "at": "eu-1", "algorithm": "AES256_GCM", "set": {"tenant": "acme", "id": "volumes"}, "key": 2},
			{"data": "volumes", "where": "storage", "at": "eu-1", "algorithm": "AES128_GCM", "set": {"tenant": "acme", "id": "volumes"}, "key": 1}
		]}`),
		digest: "sha256:90c2",
		words:  map[string]string{"traffic": "API and replication traffic", "volumes": "volumes and their backups"},
	}
	r, err := claim.Check(context.Background(), iaas(), claim.Sources{Encryption: keys}, march, april, april)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range r.Promises {
		if p.Looked > 0 {
			fmt.Println(p.Path, p.Looked, p.Verdict, p.Broken)
		}
	}
	// Output:
	// clause.data.encryption[0] 2 breach 1
	// clause.data.encryption[1] 1 met 0
}

func ExampleList() {
	var patches claim.Source[claim.Patch] = claim.List[claim.Patch]{{ID: "CVE-2026-1234"}, {ID: "CVE-2026-2345"}}
	for p, err := range patches.Statements(context.Background(), time.Time{}, time.Time{}) {
		fmt.Println(p.ID, err)
	}
	// Output:
	// CVE-2026-1234 <nil>
	// CVE-2026-2345 <nil>
}
