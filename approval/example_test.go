package approval_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

// directory is where the examples know roles from: your access control.
var directory = map[string][]string{"bob": {"operations"}, "carol": {"security", "operations"}, "dave": {"owner"}}

func rolesOf(a opsec.Actor) ([]string, error) { return directory[a.Person], nil }

func account(person string) opsec.Actor {
	return opsec.Actor{Tenant: "acme", Account: person + "@acme", Person: person, Kind: opsec.Human}
}

var key7 = opsec.Resource{Tenant: "acme", Type: "key", ID: "key-7"}

func Example() {
	var policy approval.Policy
	err := json.Unmarshal([]byte(`{
		"stages": [
			{"name": "peers", "rule": {"all": [{"role": "operations"}, {"role": "security"}]}},
			{"name": "owner", "rule": {"any": [{"role": "owner"}, {"role": "deputy", "min": 2}]}}
		],
		"valid": "4h", "use_within": "15m", "skip_signatures": true
	}`), &policy)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	authority := approval.Authority{Roles: rolesOf}
	action := approval.NewAction("keymgmt.destroy", key7, []byte(`{"versions":[1,2]}`))

	c, _, err := approval.New(approval.Request{Action: action, By: account("alice"), Reason: "end of life", Policy: policy}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, person := range []string{"alice", "carol", "bob", "dave"} {
		now = now.Add(time.Minute)
		s, _ := c.At(now)
		var e *opsec.Event
		c, e, err = c.Decide(approval.Decision{
			Verb: approval.Approve, Stage: s.Stage, By: account(person), Reason: "checked",
		}, authority, now)
		s, _ = c.At(now)
		fmt.Println(i, person, e.Outcome, s.Status, s.Stage, errors.Is(err, approval.ErrSamePerson))
	}
	other := approval.NewAction("keymgmt.destroy", key7, []byte(`{"versions":[1,2,3]}`))
	_, _, err = c.Use(other, account("alice"), authority, now)
	fmt.Println(err)
	c, _, err = c.Use(action, account("alice"), authority, now)
	fmt.Println(err)
	_, _, err = c.Use(action, account("alice"), authority, now)
	fmt.Println(err)
	// Output:
	// 0 alice denied pending 0 true
	// 1 carol success pending 0 false
	// 2 bob success pending 1 false
	// 3 dave success approved 2 false
	// approval: not the action that was approved: denied
	// <nil>
	// approval: the case is used: denied
}

// table stands for your own database: cases as JSON, and a version that makes saving conditional.
type table struct {
	mu   sync.Mutex
	rows map[opsec.ID]row
}

type row struct {
	version int
	body    []byte
}

var errStale = errors.New("somebody else was faster")

func (t *table) load(id opsec.ID) (c approval.Case, version int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows[id]
	return c, r.version, json.Unmarshal(r.body, &c)
}

func (t *table) save(c approval.Case, version int) error {
	body, err := json.Marshal(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil || t.rows[c.Request.ID].version != version {
		return errors.Join(err, errStale)
	}
	t.rows[c.Request.ID] = row{version + 1, body}
	return nil
}

// update is all of the repository: load, let the case decide, save; again if somebody else was faster.
func (t *table) update(id opsec.ID, verb func(approval.Case) (approval.Case, *opsec.Event, error)) (*opsec.Event, error) {
	for {
		c, version, err := t.load(id)
		if err != nil {
			return nil, err
		}
		c, e, err := verb(c)
		if err != nil {
			return e, err // refused: nothing to save, but an event to record
		}
		if err := t.save(c, version); !errors.Is(err, errStale) {
			return e, err
		}
	}
}

// A program that keeps cases in a store of its own. Of many who use an approval at once, one succeeds.
func Example_ownStore() {
	now := time.Now()
	authority := approval.Authority{Roles: rolesOf}
	action := approval.NewAction("identity.register", opsec.Resource{Tenant: "acme", Type: "account", ID: "zoe"})
	c, _, err := approval.New(approval.Request{
		Action: action, By: account("alice"), Reason: "joins on Monday",
		Policy: approval.Policy{
			Stages:         []approval.Stage{{Rule: approval.Rule{Role: "operations"}}},
			SkipSignatures: true,
		},
	}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	cases := &table{rows: map[opsec.ID]row{}}
	if err := cases.save(c, 0); err != nil {
		fmt.Println(err)
		return
	}
	id := c.Request.ID
	_, err = cases.update(id, func(c approval.Case) (approval.Case, *opsec.Event, error) {
		return c.Decide(approval.Decision{Verb: approval.Approve, By: account("bob"), Reason: "on the list"}, authority, now)
	})
	fmt.Println("approve:", err)

	var wait sync.WaitGroup
	var used sync.Map
	for i := range 8 {
		wait.Go(func() {
			_, err := cases.update(id, func(c approval.Case) (approval.Case, *opsec.Event, error) {
				return c.Use(action, account("alice"), authority, now)
			})
			if err == nil {
				used.Store(i, true)
			}
		})
	}
	wait.Wait()
	n := 0
	used.Range(func(any, any) bool { n++; return true })
	fmt.Println("used:", n)
	// Output:
	// approve: <nil>
	// used: 1
}

// Decisions that are signed, each by a key of the approver's own.
func ExampleCase_Message() {
	public, private, _ := ed25519.GenerateKey(nil) // the private one stays with bob
	now := time.Now()
	c, _, err := approval.New(approval.Request{
		Action: approval.NewAction("patch.release", opsec.Resource{Tenant: "acme", Type: "image", ID: "web-12"}),
		By:     account("alice"), Reason: "CVE fixed",
		Policy: approval.Policy{Stages: []approval.Stage{{Rule: approval.Rule{Role: "operations"}}}},
	}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	authority := approval.Authority{
		Roles: rolesOf,
		Keys:  approval.Keys{{Tenant: "acme", Person: "bob", Public: public}},
	}
	d := approval.Decision{Verb: approval.Approve, By: account("bob"), Reason: "tests are green"}
	_, _, err = c.Decide(d, authority, now)
	fmt.Println(err)

	d.SignedAt = now
	d.Signature = ed25519.Sign(private, c.Message(d))
	c, _, err = c.Decide(d, authority, now)
	fmt.Println(err, c.Verify(authority.Keys))
	c.Request.By = account("mallory") // in the database, afterwards
	fmt.Println(c.Verify(authority.Keys))
	// Output:
	// approval: signature missing or wrong: denied: none given
	// <nil> <nil>
	// approval: signature missing or wrong: denied: no key of the person made it
}

// Time runs out by itself; noting it makes it final.
func ExampleCase_Expire() {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	c, _, err := approval.New(approval.Request{
		Action: approval.NewAction("volume.delete", opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-7"}),
		By:     account("alice"), Reason: "unused",
		Policy: approval.Policy{Stages: []approval.Stage{{Rule: approval.Rule{Role: "operations"}}}, Valid: time.Hour},
	}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _, err = c.Expire(now)
	fmt.Println(err)
	s, _ := c.At(now.Add(time.Hour))
	fmt.Println(s.Status)
	c, e, err := c.Expire(now.Add(time.Hour))
	fmt.Println(e.Action, err)
	_, _, err = c.Withdraw(account("alice"), "", now)
	fmt.Println(errors.Is(err, approval.StatusError{Status: approval.Expired}))
	// Output:
	// approval: the case is pending: denied
	// expired
	// approval.expire <nil>
	// true
}

// The same is meant, or it is another action.
func ExampleNewAction() {
	a := approval.NewAction("volume.resize", opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-7"}, []byte("10"), []byte("GiB"))
	b := approval.NewAction("volume.resize", opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-7"}, []byte("1"), []byte("0GiB"))
	fmt.Println(a == b)
	fmt.Println(a.Digest())
	// Output:
	// false
	// sha256:ce707461b3226497b1fe2d310f909063cc5f03856576c6c935c3c0970dea2c95
}
