package main

import (
	"context"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// policy is how the provider audits itself. What it leaves out is the strict default.
func policy() programme.Policy {
	need := func(subject string) []competence.Need {
		return []competence.Need{{Subject: subject, Kinds: []competence.Kind{competence.Certification}}}
	}
	return programme.Policy{
		Independence: independence.Policy{Ignore: []string{"programme.*", "translog.*", actionEvidence}},
		Competence: map[string][]competence.Need{
			"virtualisation": need("virtualisation"), "iam": need("identity"), "keys": need("cryptography"),
			"operation": need("operations"), "emergency": need("operations"),
		},
	}
}

// records are who has shown to know what.
func records(now time.Time) func(context.Context, string) ([]competence.Record, error) {
	subjects := map[string][]string{"tess": {"virtualisation", "identity", "cryptography"}, "adam": {"operations"}}
	return func(_ context.Context, person string) (list []competence.Record, err error) {
		for _, s := range subjects[person] {
			list = append(list, competence.Record{
				Person: person, Subject: s, Kind: competence.Certification, Issuer: "Academy", Issued: now.AddDate(-1, 0, 0),
				Expires: now.AddDate(2, 0, 0), Evidence: "sha256:" + noDigest,
			})
		}
		return list, nil
	}
}

// noDigest stands for the digest of a certificate's scan.
const noDigest = "0000000000000000000000000000000000000000000000000000000000000000"

// plan is what is to be audited, and by whom.
func plan(work []procedure, now time.Time) programme.Plan {
	p := programme.Plan{
		Title:      "Internal audit of the sample provider",
		Objectives: []string{"verify the security management of the provider", "validate that its controls work"},
		Catalogue:  "x1642/1",
		Scope:      independence.Scope{Actions: []string{"image.*"}},
		Customers:  []opsec.TenantID{"acme", "globex", "initech"},
		From:       now.Add(-time.Hour), Until: now.AddDate(0, 0, 7),
		Resources: []programme.Need{{Name: "a quiet hour of the image store"}},
	}
	for _, w := range work {
		p.Procedures = append(p.Procedures, w.Procedure)
	}
	return p
}
