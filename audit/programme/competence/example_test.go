package competence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

func ExampleQualified() {
	needs := []competence.Need{
		{Subject: "virtualisation", Kinds: []competence.Kind{competence.Certification}},
		{Subject: "data operations", Kinds: []competence.Kind{competence.Training, competence.Experience}, Within: 365},
	}
	records := []competence.Record{{
		Person: "ann", Subject: "virtualisation", Kind: competence.Certification, Issuer: "Institute",
		Issued: day(0), Expires: day(1000), Evidence: sum(1),
	}, {
		Person: "ann", Subject: "data operations", Kind: competence.Training, Issuer: "Academy",
		Issued: day(-300), Evidence: sum(2),
	}}
	basis, err := competence.Qualified(records, "ann", needs, day(10))
	fmt.Println(len(basis), err)

	_, err = competence.Qualified(records, "ann", needs, day(100))
	var wrong *competence.UnqualifiedError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Expired)
	}
	// Output:
	// 2 <nil>
	// [{data operations [training experience] 365}]
}

func ExamplePolicy_Examine() {
	var p competence.Policy
	err := json.Unmarshal([]byte(`{
		"duties": {"operate hypervisors": [{"subject": "virtualisation", "kinds": ["training", "certification"]}]},
		"warn": [90, 30, 7]
	}`), &p)
	if err != nil {
		log.Fatal(err)
	}
	staff := []competence.Staff{
		{Person: "ann", Duties: []string{"operate hypervisors"}},
		{Person: "bob", Duties: []string{"operate hypervisors"}},
	}
	records := []competence.Record{{
		Person: "ann", Subject: "virtualisation", Kind: competence.Training, Issuer: "Academy",
		Issued: day(0), Expires: day(100), Evidence: sum(1),
	}}
	found, err := p.Examine(staff, records, day(80))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found {
		fmt.Println(f.Person, f.Trouble, f.Stage)
	}
	next, err := p.NextFinding(staff, records, day(80))
	fmt.Println(next.Format(time.DateOnly), err)
	// Output:
	// ann expiring 30
	// bob never trained 0
	// 2026-04-04 <nil>
}

func ExamplePolicy_Renewals() {
	p := competence.Policy{Warn: []competence.Days{90, 30, 7}}
	certificates := []competence.Certificate{{
		ID: "27001-2023", Name: "ISO/IEC 27001:2022", Scope: "all regions", Body: "Body",
		Issued: day(-900), Expires: day(100), Evidence: sum(1),
	}}
	warnings, err := p.Renewals(certificates, day(80))
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range warnings {
		fmt.Println(w.Certificate, w.Reason, w.When.Format(time.DateOnly), w.Stage)
	}
	next, err := p.NextWarning(certificates, day(80))
	fmt.Println(next.Format(time.DateOnly), err)
	// Output:
	// 27001-2023 renewal due 2026-04-11 30
	// 2026-04-04 <nil>
}

func ExampleRegister() {
	recorder := new(audittest.Recorder)
	r, err := competence.New(competence.NewMemory(recorder), policy(), &competence.Options{
		Authorizer: opsec.CallerAuthorized{},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	ref, err := r.Add(ctx, hr, record())
	if err != nil {
		log.Fatal(err)
	}
	ann := opsec.Actor{Tenant: opsec.Provider, Account: "ann-1", Person: "ann"}
	basis, err := r.Qualified(ctx, ann, "audit virtualisation", day(50))
	fmt.Println(basis == ref, err)

	err = r.Revoke(ctx, hr, "ann", ref, day(40), "examination was repeated, and failed")
	fmt.Println(err)
	_, err = r.Qualified(ctx, ann, "audit virtualisation", day(50))
	fmt.Println(err)
	for _, e := range recorder.Events() {
		fmt.Println(e.Action, e.Outcome, e.Resource)
	}
	// Output:
	// true <nil>
	// <nil>
	// competence: 0 needs never met, 1 no longer: denied
	// competence.record success @provider/person/ann
	// competence.revoke success @provider/person/ann
}

// ownDatabase is what a control plane with a database of its own writes: here the database is a map of JSON texts and a
// list of events, under one lock.
type ownDatabase struct {
	mu     sync.Mutex
	rows   map[string][]byte
	events []opsec.Event
}

func (d *ownDatabase) Update(
	_ context.Context, key string, fn func(competence.State) (competence.State, []opsec.Event, error),
) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var s competence.State
	if text, ok := d.rows[key]; ok {
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
	}
	s, events, err := fn(s)
	if err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if d.rows == nil {
		d.rows = map[string][]byte{}
	}
	d.rows[key], d.events = text, append(d.events, events...)
	return nil
}

// Over a database that you have: one method.
func ExampleNew_ownDatabase() {
	r, err := competence.New(&ownDatabase{}, policy(), &competence.Options{Authorizer: opsec.CallerAuthorized{}})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	fmt.Println(r.Acquire(ctx, hr, certificate("27001-2026")))
	all, err := r.Certificates(ctx, hr)
	fmt.Println(len(all), err)
	// Output:
	// <nil>
	// 1 <nil>
}
