package keymgmt

import (
	"time"

	"github.com/cloudopsec/opsec/approval"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// cryptoperiods are those of SP 800-57 part 1, section 5.3.6 and table 1: the longest that it suggests, where it has a range. Read
// was table 1 in the edition of March 2007; revision 5, which has taken its place, was not at hand to compare them with. A
// private signature key signs for 1 to 3 years, a key that others are derived from for about one.
var cryptoperiods = map[Purpose]struct{ originator, recipient time.Duration }{
	DataEncryption: {2 * year, 2*year + 3*year},
	KeyWrapping:    {2 * year, 2*year + 3*year},
	Streaming:      {2 * year, 2*year + 3*year},
	Authentication: {2 * year, 2*year + 3*year},
	Derivation:     {year, year},
	Signature:      {3 * year, 3*year + 3*year},
}

// Preset returns a policy for keys of this purpose, to be used as it is or changed; for an unknown purpose the zero
// Policy, which is not valid. Each call returns a fresh one.
//
// Its periods are those of NIST SP 800-57 part 1, table 1 (as read in the edition of March 2007): a key protects for 2 years
// at most and processes for 3 more; one that others are derived from is used for 1 year; one that signs does so for 3
// years, and signatures are verified for 3 more (there, "several years"). Limits are those of the purpose's usual algorithm, such as 2^32 messages
// for AES-GCM with random IVs (SP 800-38D, section 8.3), for all nodes together. The wait before a destruction is the
// default of AWS KMS and of Google Cloud KMS, 30 days.
//
// What no source gives is ours: rotation after half of the time that a key protects, a warning 30 days ahead, blocks of
// 2^20 messages, 128 bits of strength, and the consent of a second person, signed, to what loses or shows a key, and to what
// would change that: another policy, other roles. So a keyset under a preset wants two administrators from the beginning; with
// one, nothing of this can be done until [Policy].Quorum is set otherwise at its creation.
func Preset(p Purpose) Policy {
	periods, known := cryptoperiods[p]
	if !known {
		return Policy{}
	}
	policy := Policy{
		Name:            string(p),
		Source:          "NIST SP 800-57 part 1, table 1; SP 800-38D, section 8.3",
		OriginatorUsage: periods.originator,
		RecipientUsage:  periods.recipient,
		RotateEvery:     periods.originator / 2,
		Warn:            30 * day,
		Messages:        1 << 32,
		Bytes:           1 << 50,
		Block:           1 << 20,
		Strength:        128,
		DestroyWait:     30 * day,
		Quorum:          map[Verb]approval.Policy{},
	}
	second := approval.Policy{Stages: []approval.Stage{{Rule: approval.Rule{Role: string(Administrator)}}}}
	for _, v := range []Verb{Destroy, Unlink, Recover, Reveal, Update, Grant} {
		policy.Quorum[v] = second
	}
	policy.Quorum[ForceDestroy] = approval.Policy{Stages: []approval.Stage{{Rule: approval.Rule{All: []approval.Rule{
		{Role: string(Administrator)}, {Role: string(CustodianRole)},
	}}}}}
	return policy
}
