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
	day = 24 * time.Hour

	bound = "256 is a bound of this library"
	nist  = "NIST SP 800-63B-4, 3.1.1.2"
	asvs  = "OWASP ASVS 5.0, "
	pci   = "PCI DSS 4.0.1, "
)

// Presets returns the presets. Each call makes them anew: change what you get, and rename it.
//
// Where a document gives a least length that must be accepted, 64 code points, the presets accept 256. What they say of NIST
// SP 800-63B-4 was read in its drafts and in what others write about its final text, of PCI DSS in what others write.
func Presets() []Profile {
	return []Profile{
		{
			Name: NIST, Source: "NIST SP 800-63B-4",
			Length: 15, LengthMFA: 8, Longest: 256, Accept: 64, Words: Whole,
			Forbids: []Rule{RuleTruncation, RuleComposition, RuleWords, RuleCycle},
			Sources: map[Rule]string{RuleLength: nist, RuleLongest: nist + ": at least 64; " + bound, RuleTruncation: nist,
				RuleComposition: nist, RuleWords: nist + ": the whole password is compared", RuleBlocklist: nist, RuleCycle: nist},
		},
		{
			Name: ASVS, Source: "OWASP ASVS 5.0",
			Length: 8, Longest: 256, Accept: 64, Words: Whole,
			Forbids: []Rule{RuleTruncation, RuleComposition, RuleCycle},
			Sources: map[Rule]string{RuleLength: asvs + "6.2.1: at least 8, though 15 are recommended", RuleLongest: asvs + "6.2.9: at least 64; " + bound,
				RuleTruncation: asvs + "6.2.8", RuleComposition: asvs + "6.2.5", RuleWords: asvs + "6.2.11", RuleBlocklist: asvs + "6.2.4, 6.2.12",
				RuleCycle: asvs + "6.2.10"},
		},
		{
			Name: PCI, Source: "PCI DSS 4.0.1",
			Length: 12, Longest: 256, Require: []Class{Letter, Digit}, History: 4, Cycle: 90 * day,
			SkipBlocklist: true, Words: SkipWords,
			Sources: map[Rule]string{RuleLength: pci + "8.3.6", RuleLongest: bound, RuleComposition: pci + "8.3.6", RuleHistory: pci + "8.3.7",
				RuleCycle: pci + "8.3.9: where the password is the only factor"},
		},
		{
			Name: Recommendation, Source: "ITU-T X.1642, 8.1.1: length, complexity, update cycle",
			Length: 15, LengthMFA: 12, Longest: 256, Require: []Class{Letter, Digit}, History: 4, Cycle: 90 * day,
			Sources: map[Rule]string{RuleLength: "ITU-T X.1642, 8.1.1, with the figures of " + nist + ", and beside another factor of " + pci + "8.3.6",
				RuleLongest: bound, RuleComposition: "ITU-T X.1642, 8.1.1, with the classes of " + pci + "8.3.6", RuleWords: asvs + "6.2.11; to look within is this library's choice",
				RuleBlocklist: asvs + "6.2.4", RuleHistory: pci + "8.3.7", RuleCycle: "ITU-T X.1642, 8.1.1, with the figure of " + pci + "8.3.9"},
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
