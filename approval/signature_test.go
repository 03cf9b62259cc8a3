package approval_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

func signing() approval.Policy {
	p := plain(role("ops", 1), role("staff", 1))
	p.SkipSignatures = false
	return p
}

func keyed(persons ...string) approval.Authority {
	a := everybody
	a.Keys = keys(persons...)
	return a
}

func TestASignatureIsForOneDecisionAlone(t *testing.T) {
	a := keyed("alice", "bob", "carol")
	c, other := open(t, signing()), open(t, signing())
	good := sign(c, approve(0, human("bob")), "bob", start)
	with := func(change func(*approval.Decision)) approval.Decision {
		d := good
		change(&d)
		return d
	}
	elsewhere := human("bob")
	elsewhere.Tenant = opsec.Provider
	tests := map[string]approval.Decision{
		"none":               approve(0, human("bob")),
		"of another case":    sign(other, approve(0, human("bob")), "bob", start),
		"of another stage":   with(func(d *approval.Decision) { d.Signature = sign(c, approve(1, d.By), "bob", start).Signature }),
		"another verb":       with(func(d *approval.Decision) { d.Verb = approval.Reject }),
		"another account":    with(func(d *approval.Decision) { d.By = sub("bob") }),
		"another person":     with(func(d *approval.Decision) { d.By = human("carol") }),
		"another reason":     with(func(d *approval.Decision) { d.Reason = "x" }),
		"another time":       with(func(d *approval.Decision) { d.SignedAt = start.Add(1) }),
		"another's key":      sign(c, approve(0, human("bob")), "carol", start),
		"a key nobody knows": sign(c, approve(0, human("dave")), "dave", start),
		"damaged":            with(func(d *approval.Decision) { d.Signature = append([]byte{d.Signature[0] ^ 1}, d.Signature[1:]...) }),
		"before the request": sign(c, approve(0, human("bob")), "bob", start.Add(-5*time.Minute-1)),
		"in the future":      sign(c, approve(0, human("bob")), "bob", start.Add(5*time.Minute+1)),
	}
	for name, d := range tests {
		t.Run(name, func(t *testing.T) {
			refused(t, c, approval.ErrSignature)(c.Decide(d, a, start))
		})
	}
	refused(t, c, approval.ErrSignature)(c.Decide(good, everybody, start))
	for _, skew := range []time.Duration{-5 * time.Minute, 0, 5 * time.Minute} {
		must(t)(c.Decide(sign(c, approve(0, human("bob")), "bob", start.Add(skew)), a, start))
	}
	local := sign(c, approve(0, human("bob")), "bob", start.In(time.FixedZone("", 3600)))
	require.NoError(t, reread(t, must(t)(c.Decide(local, a, start))).Verify(a.Keys), "the zone does not matter")

	moved := good
	moved.By = elsewhere
	_, _, err := c.Decide(moved, a, start)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Error(t, a.Keys.Verify(elsewhere, c.Message(good), good.Signature))
	require.NoError(t, a.Keys.Verify(human("bob"), c.Message(good), good.Signature))
}

func TestASignatureThatIsGivenIsChecked(t *testing.T) {
	c := open(t, plain(role("ops", 1)))
	refused(t, c, approval.ErrSignature)(c.Decide(sign(c, approve(0, human("bob")), "carol", start), keyed("bob", "carol"), start))
	c = must(t)(c.Decide(sign(c, approve(0, human("bob")), "bob", start), keyed("bob"), start))
	refused(t, c, approval.ErrSignature)(c.Use(destroy(), human("alice"), everybody, start))
}

func TestARetractedApprovalCannotBePutBack(t *testing.T) {
	a := keyed("bob", "carol")
	c := open(t, signing())
	yes := sign(c, approve(0, human("bob")), "bob", start)
	c = must(t)(c.Decide(yes, a, start))
	no := approval.Decision{Verb: approval.Retract, By: human("bob")}
	refused(t, c, approval.ErrSignature)(c.Decide(no, a, start))
	c = must(t)(c.Decide(sign(c, no, "bob", start), a, start))
	refused(t, c, approval.StatusError{Status: approval.Rejected})(c.Decide(yes, a, start))
}

func TestKeysTakenAwayNoLongerCount(t *testing.T) {
	a := keyed("bob", "carol")
	c := open(t, signing())
	c = must(t)(c.Decide(sign(c, approve(0, human("bob")), "bob", start), a, start))
	c = must(t)(c.Decide(sign(c, approve(1, human("carol")), "carol", start), a, start))
	require.NoError(t, c.Verify(a.Keys))
	refused(t, c, approval.ErrSignature)(c.Use(destroy(), human("alice"), keyed("carol"), start))
	require.ErrorIs(t, c.Verify(keys("bob")), approval.ErrSignature)
	require.ErrorIs(t, c.Verify(nil), approval.ErrSignature)
	must(t)(c.Use(destroy(), human("alice"), a, start))
}

func TestKeysAreData(t *testing.T) {
	b, err := json.Marshal(keys("bob"))
	require.NoError(t, err)
	var read approval.Keys
	require.NoError(t, json.Unmarshal(b, &read))
	require.Equal(t, keys("bob"), read)
	short := approval.Keys{{Tenant: "acme", Person: "bob", Public: []byte("short")}, {Tenant: "acme", Public: keys("")[0].Public}}
	require.Error(t, short.Verify(human("bob"), nil, nil))
	nobody := human("")
	c := open(t, signing())
	d := sign(c, approve(0, nobody), "", start)
	require.Error(t, short.Verify(nobody, c.Message(d), d.Signature), "the key of nobody")
}
