package competence_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

// day is a day of 2026, counted from 1 January, at midnight UTC; those before are negative.
func day(n int) time.Time { return time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC) }

const moment = time.Nanosecond

func sum(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// record is a certification in virtualisation of ann, from day 0 to day 100, with changes.
func record(changes ...func(*competence.Record)) competence.Record {
	r := competence.Record{
		Person: "ann", Subject: "virtualisation", Kind: competence.Certification, Issuer: "Institute",
		Issued: day(0), Expires: day(100), Evidence: sum(1),
	}
	for _, c := range changes {
		c(&r)
	}
	return r
}

func between(from, to time.Time) func(*competence.Record) {
	return func(r *competence.Record) { r.Issued, r.Expires = from, to }
}

func of(person string) func(*competence.Record) {
	return func(r *competence.Record) { r.Person = person }
}

func about(subject string) func(*competence.Record) {
	return func(r *competence.Record) { r.Subject = subject }
}

func as(k competence.Kind) func(*competence.Record) { return func(r *competence.Record) { r.Kind = k } }

func revoked(at time.Time) func(*competence.Record) {
	return func(r *competence.Record) { r.Revoked = at }
}

var certified = competence.Need{Subject: "virtualisation", Kinds: []competence.Kind{competence.Certification}}

// policy has two duties, one of which needs more, and two stages of warning.
func policy() competence.Policy {
	data := certified
	data.Subject = "data operations"
	return competence.Policy{
		Duties: map[string][]competence.Need{"audit virtualisation": {certified}, "audit data": {data, certified}},
		Warn:   []competence.Days{30, 7},
	}
}

// certificate runs from day 0 to day 1000, with changes.
func certificate(id string, changes ...func(*competence.Certificate)) competence.Certificate {
	c := competence.Certificate{
		ID: id, Name: "ISO/IEC 27001:2022", Scope: "all regions", Body: "Body",
		Issued: day(0), Expires: day(1000), Evidence: sum(2),
	}
	for _, change := range changes {
		change(&c)
	}
	return c
}

func runs(from, to time.Time) func(*competence.Certificate) {
	return func(c *competence.Certificate) { c.Issued, c.Expires = from, to }
}

func replaces(id string) func(*competence.Certificate) {
	return func(c *competence.Certificate) { c.Replaces = id }
}

var (
	hr   = opsec.Actor{Tenant: opsec.Provider, Account: "hr-1", Person: "hanna", Kind: opsec.Human}
	long = strings.Repeat("x", 129)
)
