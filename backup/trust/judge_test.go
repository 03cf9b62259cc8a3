package trust_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/trust"
)

func policy(threshold int, keys ...trust.Key) trust.Policy {
	return trust.Policy{Threshold: threshold, Keys: keys}
}

func TestTwoKeysOfOnePersonAreOneVote(t *testing.T) {
	a1, a2, b := newHolder(t, 1), newHolder(t, 2), newHolder(t, 3)
	p := policy(2, a1.key("alice", "p-17", ""), a2.key("alice-admin", "p-17", ""), b.key("bob", "p-4", ""))
	for name, tt := range map[string]struct {
		signers []holder
		want    string
	}{
		"one key of alice":                        {[]holder{a1}, trust.Untrusted},
		"both keys of alice, two accounts of one": {[]holder{a1, a2}, trust.Untrusted},
		"alice and bob":                           {[]holder{a1, b}, trust.Trusted},
		"all three":                               {[]holder{a1, a2, b}, trust.Trusted},
	} {
		j := judge(t, trust.Verifier{Policy: p}, signed(t, tt.signers...))
		require.Equal(t, tt.want, j.Trust, name)
		require.Len(t, j.Signatures, len(tt.signers), name)
		for _, r := range j.Signatures {
			require.True(t, r.Valid, name)
		}
		if tt.want == trust.Untrusted {
			require.Equal(t, []string{"1 of 2 persons have signed"}, j.Reasons, name)
		}
	}
}

func TestKeysOfNobodyKnownAreOneVoteAndNoneBesideOthers(t *testing.T) {
	n1, n2, a := newHolder(t, 1), newHolder(t, 2), newHolder(t, 3)
	keys := []trust.Key{n1.key("", "", ""), n2.key("", "", ""), a.key("alice", "p-17", "")}
	votes := func(signers ...holder) string {
		// A third person lets the policy ask for two.
		p := policy(2, append(keys, newHolder(t, 4).key("bob", "p-4", ""))...)
		return judge(t, trust.Verifier{Policy: p}, signed(t, signers...)).Reasons[0]
	}
	require.Equal(t, "1 of 2 persons have signed", votes(n1))
	require.Equal(t, "1 of 2 persons have signed", votes(n1, n2), "they may be one")
	require.Equal(t, "1 of 2 persons have signed", votes(n1, n2, a), "they may be alice")

	require.Equal(t, trust.Trusted, judge(t, trust.Verifier{Policy: policy(1, keys...)}, signed(t, n2)).Trust)
	_, err := (&trust.Verifier{Policy: policy(2, keys...)}).Judge(newClaim(), noon)
	require.ErrorIs(t, err, opsec.ErrInvalid, "nobody could ever meet it")
}

func TestVerdictCountsPersonsWhateverTheKeys(t *testing.T) {
	var holders []holder
	for seed := range 6 {
		holders = append(holders, newHolder(t, byte(seed+1)))
	}
	rapid.Check(t, func(rt *rapid.T) {
		persons := rapid.SliceOfN(rapid.SampledFrom([]string{"", "p-1", "p-2", "p-3"}), 6, 6).Draw(rt, "persons")
		signs := rapid.SliceOfN(rapid.Bool(), 6, 6).Draw(rt, "signs")
		var p trust.Policy
		known, signedBy := map[string]bool{}, map[string]bool{}
		c := newClaim()
		for i, h := range holders {
			p.Keys = append(p.Keys, h.key("", persons[i], ""))
			known[persons[i]] = true
			if signs[i] {
				signedBy[persons[i]] = true
				require.NoError(rt, trust.Sign(context.Background(), c.Envelope, h.signer))
			}
		}
		count := func(set map[string]bool) int {
			n := 0
			for person := range set {
				if person != "" {
					n++
				}
			}
			if n == 0 && set[""] {
				n = 1
			}
			return n
		}
		p.Threshold = rapid.IntRange(0, 5).Draw(rt, "threshold")
		j, err := (&trust.Verifier{Policy: p}).Judge(c, noon)
		if p.Threshold > count(known) {
			require.ErrorIs(rt, err, opsec.ErrInvalid)
			return
		}
		require.NoError(rt, err)
		require.Equal(rt, count(signedBy) >= max(1, p.Threshold), j.Trust == trust.Trusted)
	})
}

func TestWithoutKeysNothingIsTrusted(t *testing.T) {
	for name, c := range map[string]*trust.Claim{"signed": signed(t, newHolder(t, 1)), "unsigned": newClaim()} {
		j := judge(t, trust.Verifier{}, c)
		require.Equal(t, "untrusted", j.Trust, name)
		require.Equal(t, []string{"no trusted keys were given"}, j.Reasons, name)
		for _, r := range j.Signatures {
			require.False(t, r.Valid)
			require.Empty(t, r.Operator, "nobody has proved to be alice")
		}
	}
	evidence := []trust.Evidence{{Claim: newClaim().ID, Seen: noon.Add(-time.Hour)}}
	accepted := new(trust.State)
	require.NoError(t, accepted.Accept(newClaim(), noon, true))
	j := judge(t, trust.Verifier{Evidence: evidence, State: accepted}, signed(t, newHolder(t, 1)))
	require.Equal(t, trust.Untrusted, j.Trust, "evidence is no signature")
	require.Equal(t, trust.Newest, j.History)
}

func TestUnsignedClaimIsUntrustedAndReportsAnEmptyList(t *testing.T) {
	j := judge(t, trust.Verifier{Policy: newHolder(t, 1).trusted()}, newClaim())
	require.Equal(t, trust.Untrusted, j.Trust)
	require.Equal(t, []string{"0 of 1 persons have signed"}, j.Reasons)
	b, err := json.Marshal(j)
	require.NoError(t, err)
	require.JSONEq(t, `{"trust":"untrusted","reasons":["0 of 1 persons have signed"],"signatures":[]}`, string(b))
}

func TestReportOfASignatureSaysWhoseItIs(t *testing.T) {
	alice, stranger := newHolder(t, 1), newHolder(t, 2)
	j := judge(t, trust.Verifier{Policy: alice.trusted()}, signed(t, stranger, alice))
	require.Equal(t, trust.Trusted, j.Trust, "what a stranger adds takes nothing away")
	require.Equal(t, []trust.SignatureReport{
		{KeyID: stranger.public.ID(), Reason: "the key is not among the trusted ones"},
		{Operator: "alice", Person: "p-17", Role: "operator", KeyID: alice.public.ID(), Valid: true},
	}, j.Signatures, "in the envelope's order, a row for each key")

	b, err := json.Marshal(j.Signatures[1])
	require.NoError(t, err)
	require.JSONEq(t, `{"operator":"alice","person":"p-17","role":"operator","keyid":"`+alice.public.ID()+`","valid":true}`, string(b))
}

func TestSignatureUnderAnothersKeyIDIsInvalid(t *testing.T) {
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	c := withSignature(alice, ed25519.Sign(bob.private, message(t, newClaim())))
	j := judge(t, trust.Verifier{Policy: policy(0, alice.key("alice", "p-17", ""), bob.key("bob", "p-4", ""))}, c)
	require.Equal(t, trust.Untrusted, j.Trust)
	require.Equal(t, []trust.SignatureReport{
		{Operator: "alice", Person: "p-17", KeyID: alice.public.ID(), Reason: "the signature does not verify"},
	}, j.Signatures)
}

func TestOneBadSignatureSpoilsItsKeyAlone(t *testing.T) {
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	p := policy(2, alice.key("alice", "p-17", ""), bob.key("bob", "p-4", ""))
	c := signed(t, alice, bob)
	require.Equal(t, trust.Trusted, judge(t, trust.Verifier{Policy: p}, c).Trust)
	// Apart from each other: alice's first, bob's two, and a false one of alice.
	sigs := c.Envelope.Signatures
	sigs[1], sigs[3] = sigs[3], dsse.Signature{KeyID: alice.public.ID(), Sig: sigs[3].Sig}
	j := judge(t, trust.Verifier{Policy: p}, c)
	require.Equal(t, []string{"1 of 2 persons have signed", "the operator whom the header names, alice, has not signed"}, j.Reasons)
	require.Len(t, j.Signatures, 2)
	require.False(t, j.Signatures[0].Valid)
	require.True(t, j.Signatures[1].Valid)
}

func TestEveryRoleMustHaveSigned(t *testing.T) {
	alice, bob, carol := newHolder(t, 1), newHolder(t, 2), newHolder(t, 3)
	p := policy(1, alice.key("alice", "p-17", "operator"), bob.key("bob", "p-4", "supervisor"), carol.key("carol", "p-9", "auditor"))
	p.Roles = []string{"operator", "supervisor"}
	for name, tt := range map[string]struct {
		claim   *trust.Claim
		reasons []string
	}{
		"both":              {signed(t, alice, bob), nil},
		"operator alone":    {signed(t, alice), []string{"nobody has signed as supervisor"}},
		"operator, auditor": {signed(t, alice, carol), []string{"nobody has signed as supervisor"}},
		"nobody": {newClaim(), []string{
			"0 of 1 persons have signed", "nobody has signed as operator", "nobody has signed as supervisor",
		}},
	} {
		j := judge(t, trust.Verifier{Policy: p}, tt.claim)
		require.Equal(t, tt.reasons, j.Reasons, name)
		require.Equal(t, tt.reasons == nil, j.Trust == trust.Trusted, name)
	}
	// A role is held by a signature that is valid.
	c := signed(t, alice, bob)
	c.Envelope.Signatures[2].Sig = c.Envelope.Signatures[0].Sig
	require.Equal(t, []string{"nobody has signed as supervisor"}, judge(t, trust.Verifier{Policy: p}, c).Reasons)
}

func TestOperatorOfTheHeaderMustHaveSigned(t *testing.T) {
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	named := policy(1, alice.key("alice", "p-17", ""), bob.key("bob", "p-4", ""))
	for name, tt := range map[string]struct {
		policy   trust.Policy
		operator string
		signers  []holder
		want     bool
	}{
		"alice for alice":                {named, "alice", []holder{alice}, true},
		"bob for alice":                  {named, "alice", []holder{bob}, false},
		"both for alice":                 {named, "alice", []holder{bob, alice}, true},
		"alice for nobody":               {named, "", []holder{alice}, true},
		"alice for a name alike":         {named, "Alice", []holder{alice}, false},
		"a key of whoever is named":      {policy(1, alice.key("", "", "")), "anybody", []holder{alice}, true},
		"a stranger's key for alice":     {policy(1, alice.key("alice", "", "")), "alice", []holder{bob}, false},
		"bob, who is trusted, for mario": {named, "mario", []holder{alice, bob}, false},
	} {
		c := signed(t, tt.signers...)
		c.Operator = tt.operator
		j := judge(t, trust.Verifier{Policy: tt.policy}, c)
		require.Equal(t, tt.want, j.Trust == trust.Trusted, name)
		if !tt.want && j.Signatures[0].Valid {
			require.Equal(t, []string{"the operator whom the header names, " + tt.operator + ", has not signed"}, j.Reasons, name)
		}
	}
	c := signed(t, alice)
	c.Operator = "anybody"
	j := judge(t, trust.Verifier{Policy: policy(1, alice.key("", "", ""))}, c)
	require.Equal(t, "anybody", j.Signatures[0].Operator, "the policy lets this key speak for whoever is named")
}

func TestKeySignsOnlyForItsTime(t *testing.T) {
	h := newHolder(t, 1)
	hour := time.Hour
	for name, tt := range map[string]struct {
		notBefore, notAfter time.Time
		reason              string
	}{
		"any time":            {},
		"within":              {noon.Add(-hour), noon.Add(hour), ""},
		"on its first moment": {noon, noon.Add(hour), ""},
		"on its last moment":  {noon.Add(-hour), noon, ""},
		"a moment early":      {notBefore: noon.Add(1), reason: "created before the key was valid"},
		"a moment late":       {notAfter: noon.Add(-1), reason: "created after the key was valid"},
		"from the first":      {notBefore: noon},
		"to the last":         {notAfter: noon},
	} {
		k := h.key("alice", "p-17", "")
		k.NotBefore, k.NotAfter = tt.notBefore, tt.notAfter
		// The time of judging is another matter: an expired key's old signatures stand.
		j, err := (&trust.Verifier{Policy: policy(1, k)}).Judge(signed(t, h), noon.Add(1000*hour))
		require.NoError(t, err)
		require.Equal(t, tt.reason, j.Signatures[0].Reason, name)
		require.Equal(t, tt.reason == "", j.Signatures[0].Valid, name)
		require.Equal(t, tt.reason == "", j.Trust == trust.Trusted, name)
	}
}

func TestClaimFromTheFutureIsUntrusted(t *testing.T) {
	h := newHolder(t, 1)
	v := trust.Verifier{Policy: h.trusted()}
	for ahead, want := range map[time.Duration]string{
		-time.Hour: trust.Trusted, 0: trust.Trusted, 5 * time.Minute: trust.Trusted,
		5*time.Minute + 1: trust.Untrusted, 24 * time.Hour: trust.Untrusted,
	} {
		c := signed(t, h)
		j, err := v.Judge(c, c.Created.Add(-ahead))
		require.NoError(t, err)
		require.Equal(t, want, j.Trust, ahead)
		if want == trust.Untrusted {
			require.Equal(t, []string{"created at 2026-03-01T12:00:00Z, in the future"}, j.Reasons)
			require.True(t, j.Signatures[0].Valid)
		}
	}
}

func TestRevokedKeyCountsOnlyOnEvidence(t *testing.T) {
	h := newHolder(t, 1)
	revoked := noon.Add(24 * time.Hour) // long after what the claim says of itself
	k := h.key("alice", "p-17", "operator")
	k.Revoked = revoked
	c := signed(t, h)
	seen := func(claim string, at time.Time) []trust.Evidence {
		return []trust.Evidence{{Claim: claim, Signatures: trust.SignatureIDs(c.Envelope), Seen: at, From: "audit"}}
	}
	accepted := func(id string, at time.Time, trusted bool) *trust.State {
		a := *c
		a.ID = id
		s := new(trust.State)
		require.NoError(t, s.Accept(&a, at, trusted))
		return s
	}
	before := revoked.Add(-1)
	for name, tt := range map[string]struct {
		evidence []trust.Evidence
		state    *trust.State
		want     bool
	}{
		"no evidence":                            {nil, nil, false},
		"evidence from before":                   {seen(c.ID, before), nil, true},
		"evidence of that moment":                {seen(c.ID, revoked), nil, false},
		"evidence from after":                    {seen(c.ID, revoked.Add(time.Hour)), nil, false},
		"evidence without a time":                {seen(c.ID, time.Time{}), nil, false},
		"evidence for another claim":             {seen("other", before), nil, false},
		"evidence for none":                      {seen("", before), nil, false},
		"the right one among others":             {slices.Concat(seen("other", before), seen(c.ID, revoked), seen(c.ID, before)), nil, true},
		"accepted before, trusted":               {nil, accepted(c.ID, before, true), true},
		"accepted before, untrusted":             {nil, accepted(c.ID, before, false), false},
		"accepted at that moment":                {nil, accepted(c.ID, revoked, true), false},
		"another one accepted before":            {nil, accepted("other", before, true), false},
		"nothing accepted":                       {nil, new(trust.State), false},
		"accepted untrusted, evidence elsewhere": {seen(c.ID, before), accepted(c.ID, before, false), true},
	} {
		room := append(slices.Clone(tt.evidence), trust.Evidence{}) // with a place that is not the verifier's
		v := trust.Verifier{Policy: policy(1, k), Evidence: room[:len(tt.evidence)], State: tt.state}
		j, err := v.Judge(c, revoked.Add(48*time.Hour))
		require.NoError(t, err)
		require.Equal(t, tt.want, j.Signatures[0].Valid, name)
		require.Equal(t, tt.want, j.Trust == trust.Trusted, name)
		if !tt.want {
			require.Equal(t, "the key is revoked, and no evidence from outside shows that the signature is older", j.Signatures[0].Reason, name)
		}
		require.Equal(t, append(slices.Clone(tt.evidence), trust.Evidence{}), room, "%s: the caller's list stays as it was", name)
	}
}

// Whoever holds bob's revoked key adds his signature to a claim that only alice had signed before.
func TestEvidenceIsOfSignaturesNotOfClaims(t *testing.T) {
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	ka, kb := alice.key("alice", "p-17", ""), bob.key("bob", "p-4", "")
	kb.Revoked = noon.Add(time.Hour)
	before, after := signed(t, alice), signed(t, alice, bob)
	require.Equal(t, before.ID, after.ID)
	state := new(trust.State)
	require.NoError(t, state.Accept(before, noon, true))
	v := trust.Verifier{Policy: policy(2, ka, kb), State: state, Evidence: []trust.Evidence{
		{Claim: before.ID, Signatures: trust.SignatureIDs(before.Envelope), Seen: noon},
	}}
	j, err := v.Judge(after, noon.Add(48*time.Hour))
	require.NoError(t, err)
	require.Equal(t, trust.Untrusted, j.Trust)
	require.True(t, j.Signatures[0].Valid)
	require.False(t, j.Signatures[1].Valid)

	v.Evidence[0].Signatures = trust.SignatureIDs(after.Envelope) // both were there before the revocation
	j, err = v.Judge(after, noon.Add(48*time.Hour))
	require.NoError(t, err)
	require.Equal(t, trust.Trusted, j.Trust)
}

// The signature's own time says that it is older than the revocation; so would a thief's.
func TestBackdatedSignatureOfARevokedKeyIsRefused(t *testing.T) {
	h := newHolder(t, 1)
	k := h.key("alice", "p-17", "")
	k.Revoked = noon.Add(-time.Minute)
	c := newClaim()
	c.Created = noon.Add(-1000 * time.Hour)
	require.NoError(t, trust.Sign(context.Background(), c.Envelope, h.signer))
	require.Equal(t, trust.Untrusted, judge(t, trust.Verifier{Policy: policy(1, k)}, c).Trust)
}

func TestRevocationInTheFutureAlreadyNeedsEvidence(t *testing.T) {
	h := newHolder(t, 1)
	k := h.key("alice", "p-17", "")
	k.Revoked = noon.Add(1000 * time.Hour)
	v := trust.Verifier{Policy: policy(1, k)}
	require.Equal(t, trust.Untrusted, judge(t, v, signed(t, h)).Trust)
	v.Evidence = []trust.Evidence{{Claim: newClaim().ID, Signatures: trust.SignatureIDs(signed(t, h).Envelope), Seen: noon}}
	require.Equal(t, trust.Trusted, judge(t, v, signed(t, h)).Trust)
}

func TestEvidenceDoesNotMendASignature(t *testing.T) {
	h := newHolder(t, 1)
	k := h.key("alice", "p-17", "")
	k.Revoked, k.NotAfter = noon.Add(time.Hour), noon.Add(-time.Hour)
	v := trust.Verifier{Policy: policy(1, k), Evidence: []trust.Evidence{{Claim: newClaim().ID, Signatures: trust.SignatureIDs(signed(t, h).Envelope), Seen: noon}}}
	require.Equal(t, "created after the key was valid", judge(t, v, signed(t, h)).Signatures[0].Reason)
	k.NotAfter = time.Time{}
	v.Keys = []trust.Key{k}
	require.True(t, judge(t, v, signed(t, h)).Signatures[0].Valid)
	require.False(t, judge(t, v, withSignature(h, make([]byte, 64))).Signatures[0].Valid)
}

func TestSuspectHistoryIsToldBesideTheVerdict(t *testing.T) {
	h := newHolder(t, 1)
	s := new(trust.State)
	newer := *signed(t, h)
	newer.ID, newer.Sequence = "newer", 8
	require.NoError(t, s.Accept(&newer, noon, true))
	j := judge(t, trust.Verifier{Policy: h.trusted(), State: s}, signed(t, h))
	require.Equal(t, trust.Trusted, j.Trust, "who has signed is one question")
	require.Equal(t, trust.Older, j.History, "and whether it is the newest is another")
	require.Equal(t, []string{"a newer one of this source has been accepted before (rollback)"}, j.Reasons)

	j = judge(t, trust.Verifier{Policy: h.trusted()}, signed(t, h))
	require.Empty(t, j.History, "without a state nothing is known")
	require.Empty(t, j.Reasons)
}

func TestJudgingChangesNothing(t *testing.T) {
	h := newHolder(t, 1)
	s := new(trust.State)
	c := signed(t, h)
	before := *c.Envelope
	for range 2 {
		j := judge(t, trust.Verifier{Policy: h.trusted(), State: s}, c)
		require.Equal(t, trust.First, j.History)
	}
	require.Empty(t, s.Sources)
	require.Equal(t, before, *c.Envelope)
}

func TestTooManySignaturesAreNotLookedAt(t *testing.T) {
	h := newHolder(t, 1)
	v := trust.Verifier{Policy: h.trusted()}
	c := newClaim()
	c.Envelope.Signatures = make([]dsse.Signature, trust.MaxSignatures-2)
	require.NoError(t, trust.Sign(context.Background(), c.Envelope, h.signer))
	require.Len(t, c.Envelope.Signatures, trust.MaxSignatures)
	require.Equal(t, trust.Trusted, judge(t, v, c).Trust)

	for _, n := range []int{trust.MaxSignatures + 1, 1_000_000} {
		c.Envelope.Signatures = make([]dsse.Signature, n)
		_, err := v.Judge(c, noon)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestClaimThatCannotBeJudgedIsAnError(t *testing.T) {
	h := newHolder(t, 1)
	c := newClaim()
	c.Envelope = nil
	_, err := (&trust.Verifier{Policy: h.trusted()}).Judge(c, noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)

	_, err = (&trust.Verifier{Policy: policy(2, h.key("", "", ""))}).Judge(signed(t, h), noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestDamagedPayloadIsUntrusted(t *testing.T) {
	h := newHolder(t, 1)
	whole := signed(t, h).Envelope.Payload
	raw, err := base64.StdEncoding.DecodeString(whole)
	require.NoError(t, err)
	for bit := range 8 * len(raw) {
		c := signed(t, h)
		c.Envelope.Payload = flipped(t, whole, bit)
		require.False(t, believed(t, h, c), "bit %d", bit)
	}
	c := signed(t, h)
	c.Envelope.Payload = "!" + whole
	require.False(t, believed(t, h, c))
	c = signed(t, h)
	c.Envelope.PayloadType = "text/plain"
	require.False(t, believed(t, h, c))
}
