package password

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// The names of the presets.
const (
	NIST           = "nist-sp-800-63b-4"
	ASVS           = "owasp-asvs-5"
	PCI            = "pci-dss-4.0.1"
	Recommendation = "x.1642"
)

const (
	day      = 24 * time.Hour
	ownBound = "bound of this library"
	nist     = "NIST SP 800-63B-4, 3.1.1.2"
)

// Presets returns the presets in the order of their names. Each call makes them anew: change what you get, and rename it.
//
// Where a document gives a least length that must be accepted, 64 code points, the presets accept 256.
func Presets() []Profile {
	return []Profile{
		{
			Name: NIST, Source: "NIST SP 800-63B-4",
			Length: 15, LengthMFA: 8, Longest: 256, Accept: 64, Words: Whole,
			Forbids: []Rule{RuleTruncation, RuleComposition, RuleWords, RuleCycle},
			Sources: map[Rule]string{RuleLength: nist, RuleLongest: nist + ": at least 64; 256 is a " + ownBound, RuleTruncation: nist,
				RuleComposition: nist, RuleWords: nist + ": the whole password is compared", RuleBlocklist: nist, RuleCycle: nist},
		},
		{
			Name: ASVS, Source: "OWASP ASVS 5.0, V6.2",
			Length: 8, Longest: 256, Accept: 64,
			Forbids: []Rule{RuleTruncation, RuleComposition, RuleCycle},
			Sources: map[Rule]string{RuleLength: "6.2.1: at least 8, though 15 are recommended", RuleLongest: "6.2.9: at least 64; 256 is a " + ownBound,
				RuleTruncation: "6.2.8", RuleComposition: "6.2.5", RuleWords: "6.2.11", RuleBlocklist: "6.2.4, 6.2.12", RuleCycle: "6.2.10"},
		},
		{
			Name: PCI, Source: "PCI DSS 4.0.1, 8.3",
			Length: 12, Longest: 256, Require: []Class{Letter, Digit}, History: 4, Cycle: 90 * day,
			SkipBlocklist: true, Words: SkipWords,
			Sources: map[Rule]string{RuleLength: "8.3.6", RuleLongest: ownBound, RuleComposition: "8.3.6", RuleHistory: "8.3.7",
				RuleCycle: "8.3.9: where the password is the only factor"},
		},
		{
			Name: Recommendation, Source: "ITU-T X.1642, 8.1.1: length, complexity and update cycle, with figures of others",
			Length: 15, LengthMFA: 12, Longest: 256, Require: []Class{Letter, Digit}, History: 4, Cycle: 90 * day,
			Sources: map[Rule]string{RuleLength: nist + "; PCI DSS 4.0.1, 8.3.6 beside another factor", RuleLongest: ownBound,
				RuleComposition: "PCI DSS 4.0.1, 8.3.6", RuleWords: "OWASP ASVS 5.0, 6.2.11", RuleBlocklist: "OWASP ASVS 5.0, 6.2.4",
				RuleHistory: "PCI DSS 4.0.1, 8.3.7", RuleCycle: "PCI DSS 4.0.1, 8.3.9"},
		},
	}
}

// Preset returns one of them, or an error that wraps [opsec.ErrNotFound] and lists their names.
func Preset(name string) (Profile, error) {
	var names []string
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Profile{}, fmt.Errorf("password: no such preset: there are %s: %w", strings.Join(names, ", "), opsec.ErrNotFound)
}
