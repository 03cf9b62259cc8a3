package translog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/index"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/internal/journal"
)

// Profile says what a kind of reader sees. It is data; the zero Profile shows what is Public, of the reader's own
// tenant.
type Profile struct {
	Name       string            `json:"name"`                  // stands on record with every read
	AllTenants bool              `json:"all_tenants,omitempty"` // not only the reader's own
	Most       opsec.Sensitivity `json:"most"`                  // values that are more sensitive are masked; empty is Public
	Pseudonyms bool              `json:"pseudonyms,omitempty"`  // persons can be told apart, without their names
}

// TenantProfile is for a customer who reads what concerns it (X.1642, clause 8.1.2): all of its own, and nothing else.
// Somebody of the provider who reads for a tenant needs a profile with AllTenants.
func TenantProfile() Profile { return Profile{Name: "tenant", Most: opsec.Personal} }

// AdministratorProfile is for the provider's administrators: all tenants, and nobody's personal values.
func AdministratorProfile() Profile {
	return Profile{Name: "administrator", AllTenants: true, Most: opsec.Tenant}
}

// AuditorProfile is for auditors: as for administrators, with pseudonyms in the place of persons.
func AuditorProfile() Profile {
	return Profile{Name: "auditor", AllTenants: true, Most: opsec.Tenant, Pseudonyms: true}
}

// Query selects events. Every field that is set must fit.
type Query struct {
	Tenant   opsec.TenantID  `json:"tenant,omitempty"`  // whose record; empty: all that the profile allows
	Account  string          `json:"account,omitempty"` // who acted, for whom, or who was concerned: of Tenant's accounts
	Person   string          `json:"person,omitempty"`  // the same, by person
	Actions  []string        `json:"actions,omitempty"` // one of these
	Outcomes []opsec.Outcome `json:"outcomes,omitempty"`
	Resource opsec.Resource  `json:"resource,omitzero"` // on what; needs Tenant
	From     time.Time       `json:"from,omitzero"`     // at or after
	To       time.Time       `json:"to,omitzero"`       // before
	Newest   bool            `json:"newest,omitempty"`  // the last first
}

// Entry is an event as a reader may see it, with what proves it.
type Entry struct {
	export.Record
	Seq   uint64       `json:"seq"`            // among its tenant's events, from 1
	Actor entry.Handle `json:"actor,omitzero"` // who acted, where the profile shows pseudonyms: the same handle is the same account
	leaf  entry.Leaf
}

// Page is a part of what a query has found.
type Page struct {
	Entries []Entry `json:"entries"`
	Next    string  `json:"next,omitempty"` // the cursor of the next page; empty when there is none
	Size    uint64  `json:"size"`           // the size of the log that all pages of this query look at
}

// maxPage is the largest page.
const maxPage = 1000

// View reads a log in the name of one reader.
type View struct {
	log     *Log
	who     opsec.Actor
	profile Profile
}

// View returns what who sees of the log under a profile. Every read is authorised ([ActionRead] on the log, for the
// tenant asked for) and stands in the log itself, in the tenant's own record, before its first result is given. What is
// seen is what the published checkpoint covers: an event just written comes with the next one, for which [Log.Prove]
// waits.
func (l *Log) View(who opsec.Actor, p Profile) *View {
	p.Most = cmp.Or(p.Most, opsec.Public)
	return &View{l, who, p}
}

// Query yields the events that fit, as the log was at its published checkpoint when the iteration began. What the index
// finds is compared with the leaves, and these with the checkpoint: an entry that was changed is yielded as an error
// that wraps [ErrTampered].
func (v *View) Query(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s, err := v.begin(ctx, q, 0)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for e, err := range s.entries(ctx) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// At returns the event at index, which must be the tenant's and under the published checkpoint: see [Log.Prove]. An
// empty tenant is the reader's own, or, where the profile shows all, any; the read stands in the record of the tenant
// named, or of the provider. Any other entry is [opsec.ErrNotFound].
func (v *View) At(ctx context.Context, tenant opsec.TenantID, index uint64) (Entry, error) {
	s, err := v.begin(ctx, Query{Tenant: tenant}, 0)
	if err != nil {
		return Entry{}, err
	}
	if index >= s.size {
		return Entry{}, fmt.Errorf("translog: entry %d: %w", index, opsec.ErrNotFound)
	}
	e, fits, err := s.entry(ctx, index)
	if err == nil && !fits {
		err = fmt.Errorf("translog: entry %d: %w", index, opsec.ErrNotFound)
	}
	return e, err
}

// Page returns at most n events, 1 to 1000, from a cursor on; the empty cursor is the first page. Pages of one query
// show the log as it was at the first: events that come meanwhile move nothing.
func (v *View) Page(ctx context.Context, q Query, cursor string, n int) (*Page, error) {
	if n < 1 || n > maxPage {
		return nil, invalid("a page of %d events, want 1 to %d", n, maxPage)
	}
	var size, from uint64
	if cursor != "" {
		var err error
		if size, from, err = parseCursor(cursor, q); err != nil {
			return nil, err
		}
	}
	s, err := v.begin(ctx, q, size)
	if err != nil {
		return nil, err
	}
	if cursor != "" {
		s.from = from
	}
	page := &Page{Size: s.size}
	for e, err := range s.entries(ctx) {
		if err != nil {
			return nil, err
		}
		if len(page.Entries) == n {
			page.Next = newCursor(s.size, e.Index, q)
			break
		}
		page.Entries = append(page.Entries, e)
	}
	return page, nil
}

// A cursor is the size of the log, the next index, and a digest of the query that it belongs to.
func newCursor(size, next uint64, q Query) string {
	sum := q.digest()
	return fmt.Sprintf("%x-%x-%s", size, next, base64.RawURLEncoding.EncodeToString(sum[:9]))
}

func parseCursor(cursor string, q Query) (size, next uint64, err error) {
	parts := strings.SplitN(cursor, "-", 3)
	if len(parts) == 3 {
		size, err = strconv.ParseUint(parts[0], 16, 63)
		if err == nil {
			next, err = strconv.ParseUint(parts[1], 16, 63)
		}
	}
	if len(parts) != 3 || err != nil || next >= size || newCursor(size, next, q) != cursor {
		return 0, 0, invalid("cursor: not one of this query")
	}
	return size, next, nil
}

func (q Query) digest() [sha256.Size]byte {
	text, _ := json.Marshal(q) // of texts and times alone
	return sha256.Sum256(text)
}

// search is a query under way.
type search struct {
	view    *View
	query   Query
	tenants []entry.Handle // whose record; nil: all
	terms   []entry.Term   // one of them, where the query names somebody
	on      []entry.Term   // one of them, where it names a resource
	size    uint64
	from    uint64
	tree    *tile.Tree
	under   published
}

// begin authorises and records the read, and resolves the names in the query.
func (v *View) begin(ctx context.Context, q Query, size uint64) (*search, error) {
	if !v.profile.AllTenants {
		q.Tenant = cmp.Or(q.Tenant, v.who.Tenant)
	}
	switch {
	case q.Tenant == "" && !v.profile.AllTenants:
		return nil, invalid("query: no tenant, and the reader has none")
	case q.Tenant == "" && (q.Account != "" || q.Person != "" || q.Resource != opsec.Resource{}):
		return nil, invalid("query: accounts, persons and resources are a tenant's: Tenant is empty")
	}
	if (q.Account != "" || q.Person != "") && opsec.Personal.Exceeds(v.profile.Most) {
		return nil, fmt.Errorf("translog: query: who may not see names may not ask for them: %w", opsec.ErrDenied)
	}
	for _, o := range q.Outcomes {
		if !slices.Contains(outcomes(), o) {
			return nil, invalid("query: there is no outcome %q", o)
		}
	}
	if err := v.permit(ctx, q); err != nil {
		return nil, err
	}
	l := v.log
	p, _ := l.shown.get()
	if size > p.Size {
		return nil, invalid("cursor: the log has %d entries, not %d", p.Size, size)
	}
	s := &search{view: v, query: q, size: cmp.Or(size, p.Size), under: p}
	if s.size == 0 {
		return s, nil
	}
	if q.Newest {
		s.from = s.size - 1
	}
	var err error
	if s.tree, err = l.tree(p); err != nil {
		return nil, err
	}
	return s, s.resolve(ctx)
}

// permit asks the authorizer, and records the read and its outcome in the record of the tenant concerned.
func (v *View) permit(ctx context.Context, q Query) error {
	what := opsec.Resource{Tenant: cmp.Or(q.Tenant, opsec.Provider), Type: "log", ID: v.log.Origin()}
	err := v.log.opts.Authorizer.Authorize(ctx, v.who, ActionRead, what)
	if err == nil && !v.profile.AllTenants && q.Tenant != v.who.Tenant {
		err = fmt.Errorf("%w: the record of another tenant", opsec.ErrDenied)
	}
	e := v.log.event(ActionRead, v.who, what)
	if known, findErr := v.log.opts.Keys.Find(ctx, entry.Subject{Tenant: what.Tenant}); findErr != nil || len(known) == 0 {
		e.Tenant = opsec.Provider // no record is begun for a tenant that has none
	}
	e.Outcome = opsec.OutcomeOf(err)
	e.Attrs = append(e.Attrs, opsec.Attr{Key: "profile", Value: v.profile.Name, Mark: opsec.Tenant})
	e.Attrs = append(e.Attrs, q.attrs()...)
	if _, recordErr := v.log.Append(ctx, e); recordErr != nil {
		return errors.Join(err, recordErr)
	}
	if err != nil {
		return fmt.Errorf("translog: %w", err)
	}
	return nil
}

// attrs is what of a query stands on record.
func (q Query) attrs() []opsec.Attr {
	var list []opsec.Attr
	add := func(mark opsec.Sensitivity, key, value string) {
		if value != "" {
			list = append(list, opsec.Attr{Key: key, Value: value, Mark: mark})
		}
	}
	add(opsec.Personal, attrAccount, q.Account)
	add(opsec.Personal, attrPerson, q.Person)
	add(opsec.Tenant, "actions", clip(strings.Join(q.Actions, " ")))
	outcomes := fmt.Sprint(q.Outcomes)
	add(opsec.Tenant, "outcomes", clip(strings.Trim(outcomes, "[]")))
	if (q.Resource != opsec.Resource{}) {
		add(opsec.Tenant, "resource", clip(q.Resource.String()))
	}
	for key, at := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !at.IsZero() {
			add(opsec.Tenant, key, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return list
}

func clip(s string) string { return s[:min(len(s), opsec.MaxValueLen)] }

// resolve turns the names in the query into the handles and terms that the log holds in their place.
func (s *search) resolve(ctx context.Context) error {
	keys, q := s.view.log.opts.Keys, s.query
	if q.Tenant == "" {
		return nil
	}
	var err error
	if s.tenants, err = keys.Find(ctx, entry.Subject{Tenant: q.Tenant}); err != nil {
		return fmt.Errorf("translog: %w", err)
	}
	s.tenants = slices.Clip(append([]entry.Handle{}, s.tenants...)) // none is not all
	if q.Account != "" || q.Person != "" {
		handles, err := keys.Find(ctx, entry.Subject{Tenant: q.Tenant, Account: q.Account, Person: q.Person})
		if err != nil {
			return fmt.Errorf("translog: %w", err)
		}
		s.terms = []entry.Term{}
		for _, h := range handles {
			for _, kind := range []entry.TermKind{entry.TermActor, entry.TermOnBehalf, entry.TermAbout} {
				s.terms = append(s.terms, entry.Term{Kind: kind, Tag: h})
			}
		}
	}
	if (q.Resource != opsec.Resource{}) {
		s.on = []entry.Term{}
		for _, h := range s.tenants {
			key, err := keys.Key(ctx, h)
			if err != nil {
				return fmt.Errorf("translog: %w", err)
			}
			s.on = append(s.on, entry.ResourceTerm(key, q.Resource))
		}
	}
	return nil
}

// wanted is the search as the index understands it.
func (s *search) wanted() index.Query {
	q := index.Query{From: s.query.From, To: s.query.To, Descending: s.query.Newest}
	any := func(keys [][]byte, asked bool) {
		if asked {
			q.All = append(q.All, keys)
		}
	}
	any(each(s.tenants, ledger.TenantKey), s.tenants != nil)
	any(each(s.terms, ledger.TermKey), s.terms != nil)
	any(each(s.on, ledger.TermKey), s.on != nil)
	any(each(s.query.Actions, func(a string) []byte { return ledger.ActionKey(a) }), len(s.query.Actions) > 0)
	any(each(s.query.Outcomes, func(o opsec.Outcome) []byte { return ledger.OutcomeKey(o) }), len(s.query.Outcomes) > 0)
	if len(q.All) == 0 {
		any(each(outcomes(), func(o opsec.Outcome) []byte { return ledger.OutcomeKey(o) }), true) // events, not epochs
	}
	return q
}

func outcomes() []opsec.Outcome {
	return []opsec.Outcome{opsec.Success, opsec.Failure, opsec.Denied, opsec.Pending, opsec.Unknown}
}

func each[T any](list []T, key func(T) []byte) [][]byte {
	keys := make([][]byte, len(list))
	for i, v := range list {
		keys[i] = key(v)
	}
	return keys
}

// entries yields what was found and fits, each compared with the tree.
func (s *search) entries(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l := s.view.log
		for i, err := range l.reader.spans.Find(s.wanted(), s.from, l.journal.First(), s.size) {
			if err == nil {
				err = ctx.Err()
			}
			var e Entry
			fits := false
			if err == nil {
				if e, fits, err = s.entry(ctx, i); err != nil && i < l.journal.First() {
					continue // pruned meanwhile
				}
			}
			if (fits || err != nil) && (!yield(e, err) || err != nil) {
				return
			}
		}
	}
}

// read reads one entry, and compares it with the tree.
func (s *search) read(i uint64) (entry.Leaf, entry.Body, journal.Record, error) {
	fail := func(err error) (entry.Leaf, entry.Body, journal.Record, error) {
		return entry.Leaf{}, entry.Body{}, journal.Record{}, err
	}
	r, err := s.view.log.journal.Read(i)
	if err != nil {
		return fail(fmt.Errorf("translog: %w", err))
	}
	stands, err := s.tree.LeafHash(i)
	if err != nil {
		return fail(s.view.log.unread(err))
	}
	if tlog.RecordHash(r.Leaf) != stands {
		return fail(tampered("entry %d is not the one that was signed", i))
	}
	leaf, err := entry.Parse(r.Leaf)
	if err != nil {
		return fail(tampered("entry %d: %w", i, err))
	}
	var body entry.Body
	if leaf.Kind == entry.Event {
		if body, err = entry.ParseBody(r.Body); err == nil {
			err = body.Verify(leaf.Body)
		}
	}
	if err != nil {
		return fail(tampered("sidecar of entry %d: %w", i, err))
	}
	return leaf, body, r, nil
}

// entry reads one entry, and reports whether it fits the query by its own word.
func (s *search) entry(ctx context.Context, i uint64) (e Entry, fits bool, err error) {
	l := s.view.log
	leaf, body, r, err := s.read(i)
	if err != nil || !s.fits(leaf, body) {
		return Entry{}, false, err
	}
	event, evidence, err := entry.Open(ctx, l.opts.Keys, leaf, body, func(f entry.Field) bool {
		return !f.Mark.Exceeds(s.view.profile.Most)
	})
	if err != nil {
		return Entry{}, false, fmt.Errorf("translog: entry %d: %w", i, err)
	}
	e = Entry{Record: export.Record{
		Event: event, Index: i, LeafHash: tlog.RecordHash(r.Leaf), Leaf: r.Leaf, Evidence: evidence, Size: s.under.Size, Root: s.under.Root,
	}, Seq: leaf.Seq, leaf: leaf}
	if s.view.profile.Pseudonyms {
		for _, t := range body.Terms() {
			if t.Kind == entry.TermActor {
				e.Actor = t.Tag
			}
		}
	}
	return e, true, nil
}

// fits compares an entry with the query, whatever the index has said.
func (s *search) fits(leaf entry.Leaf, body entry.Body) bool {
	q := s.query
	in := func(terms []entry.Term) bool {
		return slices.ContainsFunc(body.Terms(), func(t entry.Term) bool { return slices.Contains(terms, t) })
	}
	return leaf.Kind == entry.Event &&
		(s.tenants == nil || slices.Contains(s.tenants, leaf.Tenant)) &&
		(s.terms == nil || in(s.terms)) && (s.on == nil || in(s.on)) &&
		(len(q.Actions) == 0 || slices.Contains(q.Actions, leaf.Action)) &&
		(len(q.Outcomes) == 0 || slices.Contains(q.Outcomes, leaf.Outcome)) &&
		(q.From.IsZero() || !leaf.Time.Before(q.From)) && (q.To.IsZero() || leaf.Time.Before(q.To))
}
