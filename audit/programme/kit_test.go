package programme_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

const (
	origin = "log.example/audit"
	minute = time.Minute
	day    = 24 * time.Hour
)

// noon is when everything begins.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// The people: mia and max are of senior management, lea leads, tom and tim audit, and olaf operates.
func actor(person string) opsec.Actor {
	return opsec.Actor{Tenant: opsec.Provider, Account: "acc-" + person, Person: person, Kind: opsec.Human}
}

func digest(of string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(of))) }

func evidence(name string, at time.Time) []programme.Evidence {
	return []programme.Evidence{{Name: name, Digest: digest(name), Collected: at, Person: "tom"}}
}

func plan() programme.Plan {
	return programme.Plan{
		Title: "Backups and keys", Objectives: []string{"Backups can be restored."}, Catalogue: "x1642/1",
		Scope:     independence.Scope{Systems: []string{"backup", "kms"}},
		Customers: []opsec.TenantID{"acme", "beta"},
		From:      noon.Add(day), Until: noon.Add(30 * day),
		Resources: []programme.Need{{Name: "A room"}},
		Procedures: []programme.Procedure{
			{
				ID: "restore", Title: "Restore volumes", Category: "platform", Requirements: []string{"8.2-1", "8.2-2"},
				Steps: []string{"Restore it.", "Compare."}, Person: "tom", Check: "backup.verify", Sample: 3,
			},
			{
				ID: "rotation", Title: "Look at the keys", Category: "keys", Requirements: []string{"8.3-1"},
				Steps: []string{"Read its age."}, Person: "tim",
			},
		},
	}
}

// The populations of the two procedures.
func populations() []sample.Frame {
	f := []sample.Frame{{Procedure: "restore"}, {Procedure: "rotation", Items: []string{"key-1", "key-2"}}}
	for i := range 20 {
		f[0].Items = append(f[0].Items, fmt.Sprintf("vol-%02d", i))
	}
	return f
}

func items() (list []programme.Item) {
	for i, id := range populations()[0].Items {
		list = append(list, programme.Item{ID: id, Type: "volume", Tenant: []opsec.TenantID{"acme", "beta"}[i%2]})
	}
	return list
}

func commitments(t testing.TB) (list []sample.Commitment) {
	for _, f := range populations() {
		c, err := f.Commit()
		require.NoError(t, err)
		list = append(list, c)
	}
	return list
}

func member(person string, f programme.Function, categories ...string) programme.Member {
	return programme.Member{Person: person, Function: f, Categories: categories}
}

// team has all that the plan needs.
func team() []programme.Member {
	lea := member("lea", programme.Administrative)
	lea.Lead = true
	return []programme.Member{
		member("mia", programme.SeniorManagement), lea,
		member("tom", programme.Technical, "platform", "keys"), member("tim", programme.Technical, "keys"),
	}
}

// records shows that somebody knows about all categories.
func records(person string) (list []competence.Record) {
	for _, subject := range []string{"virtualisation", "platform", "operation", "iam", "keys", "emergency"} {
		list = append(list, competence.Record{
			Person: person, Subject: subject, Kind: competence.Certification, Issuer: "an institute", Issued: noon.Add(-100 * day),
			Expires: noon.Add(1000 * day), Evidence: digest(person + subject),
		})
	}
	return list
}

// house is an audit on its way.
type house struct {
	t      testing.TB
	policy programme.Policy
	audit  programme.Audit
	now    time.Time
	events []opsec.Event
	ledger *ledger
}

// opened has a plan.
func opened(t testing.TB) *house {
	h := &house{t: t, now: noon, ledger: &ledger{t: t}}
	a, e, err := h.policy.Open("2026-1", plan(), h.by("lea"))
	require.NoError(t, err)
	h.audit, h.events = a, append(h.events, e)
	return h
}

func (h *house) by(person string) programme.By {
	h.now = h.now.Add(minute)
	return programme.By{Actor: actor(person), Time: h.now, Event: opsec.NewID()}
}

// take takes a step that has to be possible.
func (h *house) take(person string, s programme.Step) opsec.Event {
	h.t.Helper()
	a, e, err := h.policy.Apply(h.audit, s, h.by(person))
	require.NoError(h.t, err)
	require.NoError(h.t, e.Validate())
	h.audit, h.events = a, append(h.events, e)
	return e
}

// try takes a step that need not be possible, and leaves the audit as it is.
func (h *house) try(person string, s programme.Step) error {
	h.t.Helper()
	before := text(h.t, h.audit)
	a, e, err := h.policy.Apply(h.audit, s, h.by(person))
	require.Equal(h.t, before, text(h.t, h.audit), "a step has changed its input")
	if err == nil {
		return nil
	}
	require.Equal(h.t, before, text(h.t, a), "a step that failed has changed something")
	if errors.Is(err, opsec.ErrDenied) {
		require.NoError(h.t, e.Validate())
		require.Equal(h.t, opsec.Denied, e.Outcome)
		h.events = append(h.events, e)
	} else {
		require.Zero(h.t, e)
	}
	return err
}

func (h *house) refuses(target error, person string, s programme.Step, why string) {
	h.t.Helper()
	err := h.try(person, s)
	require.ErrorIs(h.t, err, target)
	require.ErrorContains(h.t, err, why)
}

func (h *house) clearance(persons ...string) independence.Clearance {
	c := independence.Clearance{
		Scope: h.audit.Plan.Scope.Digest(), Policy: h.policy.Independence.Digest(), From: h.now.Add(-365 * day), To: h.now,
	}
	for _, p := range persons {
		c.Standings = append(c.Standings, independence.Standing{Person: p})
	}
	return c
}

func (h *house) assign(m programme.Member) programme.Assign {
	return programme.Assign{Member: m, Clearance: h.clearance(m.Person), Records: records(m.Person)}
}

// staffed has a team too, and all that a release needs.
func staffed(t testing.TB) *house {
	h := opened(t)
	for _, m := range team() {
		h.take("lea", h.assign(m))
	}
	h.take("mia", programme.Guarantee{Resource: "A room"})
	for _, c := range []string{"virtualisation", "operation", "iam", "emergency"} {
		h.take("mia", programme.Waive{Category: c, Reason: "audited in autumn"})
	}
	return h
}

func approved(t testing.TB) *house {
	h := staffed(t)
	h.take("mia", programme.Release{})
	return h
}

func frozen(t testing.TB) *house {
	h := approved(t)
	e := h.take("lea", programme.Fix{Frames: commitments(t)})
	h.ledger.add(e)
	return h
}

// seed is the step that draws by the checkpoint of now.
func (h *house) seed() programme.Seed {
	h.now = h.now.Add(minute)
	return programme.Seed{
		Anchor: h.ledger.anchor(h.freeze().Event), Checkpoint: h.ledger.signed(h.now), Verifier: verifier(h.t), Frames: populations(),
	}
}

func (h *house) freeze() programme.Freeze { return h.audit.Freezes[len(h.audit.Freezes)-1] }

func fieldwork(t testing.TB) *house {
	h := frozen(t)
	h.take("tom", h.seed())
	return h
}

// result is one of an item by its place in the sample.
func (h *house) result(procedure string, i int, status programme.Status) programme.Result {
	item := h.audit.Draw.Items[procedure][i]
	r := programme.Result{Procedure: procedure, Item: item, Tenant: "acme", Status: status, Evidence: evidence(item, h.now)}
	if status != programme.Passed {
		r.Detail = "It did not work."
	}
	return r
}

func finding(h *house) programme.Finding {
	return programme.Finding{
		ID: "f1", Procedure: "restore", Requirements: []string{"8.2-1"}, Items: h.audit.Draw.Items["restore"][:1],
		Criterion: "Volumes can be restored.", Condition: "One cannot.", Cause: "A full disk.", Effect: "Loss of data.",
		Risk: opsec.SeverityMedium, Subject: "backup of volumes",
	}
}

// tested has all results, one of them a failure, and a finding about it.
func tested(t testing.TB) *house {
	h := fieldwork(t)
	h.take("tom", programme.Perform{Results: []programme.Result{
		h.result("restore", 0, programme.Failed), h.result("restore", 1, programme.Passed), h.result("restore", 2, programme.NotTested),
	}})
	h.take("tim", programme.Perform{Results: []programme.Result{
		h.result("rotation", 0, programme.Passed), h.result("rotation", 1, programme.NotApplicable),
	}})
	h.take("tom", programme.Raise{Finding: finding(h)})
	return h
}

func action(h *house) programme.Action {
	return programme.Action{ID: "a1", Finding: "f1", Text: "Get a larger disk.", Owner: "olaf", Due: h.now.Add(60 * day)}
}

func reported(t testing.TB) *house {
	h := tested(t)
	h.take("lea", programme.Agree{Action: action(h)})
	h.take("lea", programme.Issue{})
	return h
}

func grant(h *house) programme.Grant {
	return programme.Grant{
		ID: "g1", Tool: "backup.verify", Person: "tom", Targets: []string{"volume/*"}, From: h.now, Until: h.now.Add(7 * day), Uses: 5,
	}
}

// ledger is a log in memory, with the events that it was given. One witness signs its checkpoints.
type ledger struct {
	t      testing.TB
	mu     sync.Mutex
	events []opsec.Event
	hashes []tlog.Hash
	acts   []independence.Act
	behind bool // the log does not have the newest event yet
	now    func() time.Time
	asked  [][2]time.Time
}

func private(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

func signers(t testing.TB, at time.Time) (*checkpoint.Signer, *checkpoint.Signer) {
	log, err := checkpoint.NewSigner(origin, private("log"))
	require.NoError(t, err)
	witness, err := checkpoint.NewCosigner("witness.example/w", private("witness"), func() time.Time { return at })
	require.NoError(t, err)
	return log, witness
}

func verifier(t testing.TB) sample.CheckpointVerifier {
	log, witness := signers(t, noon)
	w, err := checkpoint.NewCosignatureVerifier(witness.VerifierKey())
	require.NoError(t, err)
	return sample.CheckpointVerifier{Logs: []note.Verifier{log}, Witnesses: []note.Verifier{w}, Quorum: 1}
}

func (l *ledger) ReadHashes(at []int64) (list []tlog.Hash, err error) {
	for _, i := range at {
		list = append(list, l.hashes[i])
	}
	return list, nil
}

func (l *ledger) add(e opsec.Event) {
	b := e.AppendJSON(nil)
	more, err := tlog.StoredHashes(int64(len(l.events)), b, l)
	require.NoError(l.t, err)
	l.events, l.hashes = append(l.events, e), append(l.hashes, more...)
}

func (l *ledger) anchor(event opsec.ID) sample.Anchor {
	i := slices.IndexFunc(l.events, func(e opsec.Event) bool { return e.ID == event })
	require.GreaterOrEqual(l.t, i, 0)
	return sample.Anchor{Log: origin, Index: uint64(i)}
}

func (l *ledger) signed(at time.Time) []byte {
	root, err := tlog.TreeHash(int64(len(l.events)), l)
	require.NoError(l.t, err)
	log, witness := signers(l.t, at)
	b, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", origin, len(l.events), root)}, log, witness)
	require.NoError(l.t, err)
	return b
}

// Record implements opsec.Recorder.
func (l *ledger) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := e.Validate(); err != nil {
		return opsec.Receipt{}, err
	}
	l.add(*e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

// Locate implements programme.Ledger.
func (l *ledger) Locate(_ context.Context, event opsec.ID) (sample.Anchor, error) {
	if l.behind {
		return sample.Anchor{}, opsec.ErrNotFound
	}
	return l.anchor(event), nil
}

// Checkpoint implements programme.Ledger.
func (l *ledger) Checkpoint(context.Context) ([]byte, error) { return l.signed(l.now()), nil }

// Trail implements programme.Ledger.
func (l *ledger) Trail(_ context.Context, from, until time.Time) iter.Seq2[independence.Act, error] {
	l.asked = append(l.asked, [2]time.Time{from, until})
	return func(yield func(independence.Act, error) bool) {
		for _, a := range l.acts {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func text(t testing.TB, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
