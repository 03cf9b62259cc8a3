package lockout

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// The names of the presets.
const (
	PresetRecommendation = "recommendation"
	PresetNIST           = "nist-sp-800-63b-4"
	PresetPCI            = "pci-dss-4.0.1"
	PresetKeycloak       = "keycloak"
	PresetSlapd          = "slapd-ppolicy"
)

const (
	second = time.Second
	minute = time.Minute
	hour   = time.Hour
)

// Preset returns the profile of that name, for the factors [Password], [OTP], [Recovery] and [Reset]; each call a fresh one. For
// a name that is none the error wraps [opsec.ErrNotFound].
func Preset(name string) (Profile, error) {
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("lockout: preset: a name of %d bytes that is none: %w", len(name), opsec.ErrNotFound)
}

// Presets returns all profiles that there are, fresh ones. Their Source says where the figures are from. What no source gives is ours:
// 30 seconds for a reservation in each, and in those that are not another system's, two seconds of skew.
func Presets() []Profile {
	return []Profile{recommendation(), nist(), pci(), keycloak(), slapd()}
}

// recommendation is our own: what clause 8.1.1 asks for, so that strangers spend only what is theirs. It is milder than NIST's hundred
// in two things: a day without a failure ends a run of passwords, and each class and device has a hundred of its own.
func recommendation() Profile {
	growing := func(failures, temporary int, forget, lock, most time.Duration) Policy {
		return Policy{
			Failures: failures, Forget: forget, Lock: lock, Growth: Doubling, LockMost: most, Temporary: temporary,
			Rapid: second, RapidBar: minute, Reserve: 30 * second, Skew: 2 * second,
		}
	}
	return Profile{
		Name: PresetRecommendation,
		Source: "ITU-T X.1642, 8.1.1: locked for continuous wrong passwords, barred for repetition in a very short time; at most 100 in a " +
			"row and waits of 30 seconds to 1 hour after NIST SP 800-63B-4, 3.2.2, which knows no end of a run by a day without a failure, and no " +
			"budgets for devices: these are OWASP's device cookies; other figures ours",
		Rules: []Rule{
			{Password, Trusted, growing(10, 90, 24*hour, 30*second, 15*minute)},
			{Password, Familiar, growing(10, 90, 24*hour, 30*second, hour)},
			{Password, Unknown, growing(5, 95, 24*hour, minute, hour)},
			{OTP, Every, growing(5, 5, 0, 5*minute, 24*hour)},
			{Recovery, Every, growing(5, 5, 0, 15*minute, 24*hour)},
			{Reset, Every, growing(5, -1, 24*hour, 15*minute, hour)},
		},
	}
}

func nist() Profile {
	return every(PresetNIST, "NIST SP 800-63B-4, 3.2.2: at most 100 consecutive failures of an authenticator, which is then disabled, "+
		"and as an example waits of 30 seconds that grow up to 1 hour; that the waits begin with the tenth failure is ours", Policy{
		Failures: 10, Lock: 30 * second, Growth: Doubling, LockMost: hour, Temporary: 90,
		Reserve: 30 * second, Skew: 2 * second,
	})
}

func pci() Profile {
	return every(PresetPCI, "PCI DSS 4.0.1, 8.3.4: after not more than 10 attempts, for at least 30 minutes or until identity is confirmed", Policy{
		Failures: 10, Lock: 30 * minute, Temporary: -1,
		Reserve: 30 * second, Skew: 2 * second,
	})
}

// keycloak has factors apart where Keycloak counts them together as well, unless told otherwise (keycloak#46164).
func keycloak() Profile {
	return every(PresetKeycloak, "Keycloak, the defaults of a realm in which brute force detection is switched on: failure factor 30, wait "+
		"increment 60 s (MULTIPLE), most 900 s, reset after 12 h, quick log-in 1000 ms and 60 s", Policy{
		Failures: 30, Forget: 12 * hour, Lock: minute, Growth: Multiple, LockMost: 15 * minute, Temporary: -1,
		Rapid: second, RapidBar: minute, Reserve: 30 * second,
	})
}

// slapd is compared with a real one in internal/interop/slapd. It counts the failures of the last interval; here a run goes on
// as long as no two of its failures are further apart than that, which is as strict or stricter.
func slapd() Profile {
	return every(PresetSlapd, "OpenLDAP Administrator's Guide, Password Policies, the example of a default policy: pwdMaxFailure 5, "+
		"pwdLockoutDuration 0, pwdFailureCountInterval 30", Policy{
		Failures: 5, Forget: 30 * second,
		Reserve: 30 * second,
	})
}

// every is the profile that knows no difference between factors and classes.
func every(name, source string, p Policy) Profile {
	return Profile{Name: name, Source: source, Rules: []Rule{{Password, Every, p}, {OTP, Every, p}, {Recovery, Every, p}, {Reset, Every, p}}}
}
