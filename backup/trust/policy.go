package trust

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy says whose signatures make a manifest believed. It is data: keep it as JSON beside your configuration.
// The zero policy trusts nobody.
type Policy struct {
	Threshold int      `json:"threshold,omitempty"` // how many persons must have signed; 0 counts as 1
	Roles     []string `json:"roles,omitempty"`     // each must be held by one of them
	Keys      []Key    `json:"keys"`
}

// Key is a key and whom it stands for. The roles and the person are the policy's words, never the signature's.
type Key struct {
	Key      PublicKey `json:"key"`
	Operator string    `json:"operator,omitempty"` // the account; empty for whoever the signed header names
	// Person is who is behind it. All keys of one person count once; all keys of nobody known count once together, and
	// not at all beside persons who are known.
	Person    string    `json:"person,omitempty"`
	Role      string    `json:"role,omitempty"`     // "operator", "supervisor", ...
	NotBefore time.Time `json:"notBefore,omitzero"` // first time that it may sign for; zero is any
	NotAfter  time.Time `json:"notAfter,omitzero"`  // last time that it may sign for; zero is any
	Revoked   time.Time `json:"revoked,omitzero"`   // from when nothing signed by it is believed, but on Evidence
}

// ParsePolicy reads a policy from JSON of at most 1 MiB. Unknown fields are errors.
func ParsePolicy(r io.Reader) (*Policy, error) {
	b, err := readAtMost(r, 1<<20, "policy")
	if err != nil {
		return nil, err
	}
	p := new(Policy)
	if err := strictjson.Decode(b, p); err != nil {
		return nil, invalid("policy: %v", err)
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// Validate returns an error wrapping [opsec.ErrInvalid] for a policy that no manifest can meet, or that names a key
// twice.
func (p *Policy) Validate() error {
	seen, persons, roles := map[PublicKey]bool{}, map[string]bool{}, map[string]bool{}
	for i, k := range p.Keys {
		if k.Key.IsZero() {
			return invalid("policy: keys[%d]: no key", i)
		}
		if seen[k.Key] {
			return invalid("policy: keys[%d]: %s stands there twice", i, k.Key.ID())
		}
		if !k.NotBefore.IsZero() && !k.NotAfter.IsZero() && k.NotAfter.Before(k.NotBefore) {
			return invalid("policy: keys[%d]: notAfter is before notBefore", i)
		}
		seen[k.Key], persons[k.Person], roles[k.Role] = true, true, true
	}
	if p.Threshold < 0 || len(p.Keys) > 0 && p.Threshold > votes(persons) {
		return invalid("policy: threshold %d with keys of %d persons (keys without a person count as one, beside others as none)",
			p.Threshold, votes(persons))
	}
	for _, r := range p.Roles {
		if r == "" || !roles[r] {
			return invalid("policy: role %q is held by no key", r)
		}
	}
	return nil
}

// votes counts persons who are known to be different. Whoever is behind the keys without a person may be one of the
// others (see [opsec.Actor.DistinctFrom]).
func votes(persons map[string]bool) int {
	if persons[""] && len(persons) > 1 {
		return len(persons) - 1
	}
	return len(persons)
}

// Verifier is what a claim's signatures and its place in the source's history are judged by. The zero Verifier trusts
// nobody.
type Verifier struct {
	Policy
	State    *State     // what has been accepted before; nil to do without, and without noticing rollback and omission
	Evidence []Evidence // of when manifests were there, from outside them
}

// Claim is a signed header as far as trust depends on it: who says what about which backup.
type Claim struct {
	ID       string         // identifies what is signed, with or without its signatures
	Tenant   opsec.TenantID // whose data
	Source   string         // what was backed up
	Sequence uint64         // rises with every claim about a source
	Previous string         // ID of the one before; empty for none
	Created  time.Time      // when it was made, it says
	Operator string         // who answers for it, it says; may be empty
	Envelope *dsse.Envelope // what was signed, and the signatures
}

// Evidence tells that a claim and some of its signatures were there at some time, from a source that its signers do not
// control. A signature carries no time but its own claim; after a key is revoked, only evidence from before counts for
// what it has signed. It names signatures, and not the claim alone: whoever holds a revoked key could still add its
// signature to a claim that is old enough.
type Evidence struct {
	Claim      string    `json:"claim"`      // Claim.ID
	Signatures []string  `json:"signatures"` // the ids of those that were there; see [SignatureIDs]
	Seen       time.Time `json:"seen"`       // no later than this
	From       string    `json:"from"`       // for people to read
}

// The verdicts on trust.
const (
	Trusted   = "ok"        // enough trusted persons have signed
	Untrusted = "untrusted" // all else
)

// Judgement is what [Verifier.Judge] finds.
type Judgement struct {
	Trust      string            `json:"trust"`             // Trusted or Untrusted
	Reasons    []string          `json:"reasons,omitempty"` // why untrusted or suspect, for people to read
	History    History           `json:"history,omitempty"` // the manifest's place after what the State has seen
	Signatures []SignatureReport `json:"signatures"`
}

// SignatureReport is the verdict on what one key has signed.
type SignatureReport struct {
	Operator string `json:"operator"`
	Person   string `json:"person,omitempty"`
	Role     string `json:"role,omitempty"`
	KeyID    string `json:"keyid"`
	Valid    bool   `json:"valid"`            // by a trusted key, in its time, and every byte of it verifies
	Reason   string `json:"reason,omitempty"` // why not
}

// LoadVerifier gathers a verifier from files, any of which may be left out by an empty name: a policy in JSON
// ([ParsePolicy]), a state ([LoadState]), and public keys that stand, each with its holder unknown, for whoever the
// signed header names.
func LoadVerifier(policy, state string, pubs ...string) (*Verifier, error) {
	t := new(Verifier)
	if policy != "" {
		f, err := os.Open(policy)
		if err != nil {
			return nil, fmt.Errorf("trust: policy: %w", err)
		}
		defer f.Close()
		p, err := ParsePolicy(f)
		if err != nil {
			return nil, err
		}
		t.Policy = *p
	}
	for _, name := range pubs {
		key, err := LoadPublicKey(name)
		if err != nil {
			return nil, err
		}
		t.Keys = append(t.Keys, Key{Key: key})
	}
	var err error
	if state != "" {
		t.State, err = LoadState(state)
	}
	return t, err
}

// clockSkew is how far ahead a builder's clock may be.
const clockSkew = 5 * time.Minute

// Judge says whether a claim is to be believed at the time now. It computes only; to remember that one has been
// accepted, call [State.Accept]. An error wraps [opsec.ErrInvalid]: the policy is not valid, or the claim has no
// envelope, or one of more than [MaxSignatures] signatures.
func (t *Verifier) Judge(c *Claim, now time.Time) (*Judgement, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if c.Envelope == nil || len(c.Envelope.Signatures) > MaxSignatures {
		return nil, invalid("claim: want an envelope with at most %d signatures", MaxSignatures)
	}
	j := &Judgement{Trust: Untrusted, Signatures: []SignatureReport{}}
	because := func(format string, args ...any) { j.Reasons = append(j.Reasons, fmt.Sprintf(format, args...)) }
	persons, roles, operators := map[string]bool{}, map[string]bool{}, map[string]bool{}
	keyIDs, sigs := signaturesByKey(c.Envelope)
	for _, keyID := range keyIDs {
		r := t.judgeKey(c, keyID, sigs[keyID])
		j.Signatures = append(j.Signatures, r)
		if r.Valid {
			persons[r.Person], roles[r.Role], operators[r.Operator] = true, true, true
		}
	}
	if len(t.Keys) == 0 {
		because("no trusted keys were given")
	} else if need := max(1, t.Threshold); votes(persons) < need {
		because("%d of %d persons have signed", votes(persons), need)
	}
	for _, role := range t.Roles {
		if !roles[role] {
			because("nobody has signed as %s", role)
		}
	}
	if op := c.Operator; op != "" && len(persons) > 0 && !operators[op] {
		because("the operator whom the header names, %s, has not signed", op)
	}
	if c.Created.After(now.Add(clockSkew)) {
		because("created at %s, in the future", c.Created.Format(time.RFC3339))
	}
	if len(j.Reasons) == 0 {
		j.Trust = Trusted
	}
	if t.State != nil {
		if j.History = t.State.Place(c); j.History.Suspect() {
			because("%s", j.History.explain())
		}
	}
	return j, nil
}

// signaturesByKey returns the signatures of each key that has signed, and the keys in the envelope's order. One key may
// sign in two forms.
func signaturesByKey(env *dsse.Envelope) (keyIDs []string, sigs map[string][][]byte) {
	sigs = map[string][][]byte{}
	for _, s := range env.Signatures {
		if sigs[s.KeyID] == nil {
			keyIDs = append(keyIDs, s.KeyID)
		}
		sig, _ := DecodeBase64(s.Sig) // what is no base64 does not verify
		sigs[s.KeyID] = append(sigs[s.KeyID], sig)
	}
	return keyIDs, sigs
}

func (t *Verifier) judgeKey(c *Claim, keyID string, sigs [][]byte) SignatureReport {
	r := SignatureReport{KeyID: keyID}
	i := slices.IndexFunc(t.Keys, func(k Key) bool { return k.Key.ID() == keyID })
	if i < 0 {
		r.Reason = "the key is not among the trusted ones"
		return r
	}
	k := t.Keys[i]
	r.Operator, r.Person, r.Role = k.Operator, k.Person, k.Role
	if r.Operator == "" {
		r.Operator = c.Operator
	}
	pae, err := SignedBytes(c.Envelope)
	at := c.Created
	switch {
	case err != nil || slices.ContainsFunc(sigs, func(sig []byte) bool { return !k.Key.verify(pae, sig) }):
		r.Reason = "the signature does not verify"
	case !k.NotBefore.IsZero() && at.Before(k.NotBefore):
		r.Reason = "created before the key was valid"
	case !k.NotAfter.IsZero() && at.After(k.NotAfter):
		r.Reason = "created after the key was valid"
	case !k.Revoked.IsZero() && !t.seenBefore(c.ID, sigs, k.Revoked):
		r.Reason = "the key is revoked, and no evidence from outside shows that the signature is older"
	default:
		r.Valid = true
	}
	return r
}

// seenBefore reports whether outside evidence places all of these signatures of a claim before a time.
func (t *Verifier) seenBefore(id string, sigs [][]byte, when time.Time) bool {
	evidence := t.Evidence
	if t.State != nil {
		evidence = append(slices.Clone(evidence), t.State.evidence(id)...)
	}
	for _, sig := range sigs {
		if !slices.ContainsFunc(evidence, func(e Evidence) bool {
			return e.Claim == id && slices.Contains(e.Signatures, signatureID(sig)) && !e.Seen.IsZero() && e.Seen.Before(when)
		}) {
			return false
		}
	}
	return true
}

// readAtMost reads all of r, unless that is too much.
func readAtMost(r io.Reader, most int64, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("trust: %s: %w", what, err)
	}
	if int64(len(b)) > most {
		return nil, invalid("%s: more than %d bytes", what, most)
	}
	return b, nil
}
