package lockout_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
)

func preset(t testing.TB, name string) lockout.Profile {
	p, err := lockout.Preset(name)
	require.NoError(t, err)
	return p
}

func TestPresetsAreValidAndSurviveJSON(t *testing.T) {
	for _, p := range lockout.Presets() {
		require.NoError(t, p.Validate(), p.Name)
		require.NotEmpty(t, p.Source, p.Name)
		data, err := json.Marshal(p)
		require.NoError(t, err)
		read, err := lockout.ParseProfile(data)
		require.NoError(t, err)
		require.Equal(t, p, read)
		for _, f := range []lockout.Factor{lockout.Password, lockout.OTP, lockout.Recovery, lockout.Reset} {
			require.Contains(t, p.Factors(), f, p.Name)
		}
	}
	_, err := lockout.Preset("strictest")
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestPresetIsTheCallersOwn(t *testing.T) {
	mine := preset(t, lockout.PresetPCI)
	mine.Rules[0].Policy.Failures = 999
	require.Equal(t, 10, preset(t, lockout.PresetPCI).Rules[0].Policy.Failures)
}

// course guesses wrong whenever it may, for so long, and returns when it did and how it ended.
func course(p lockout.Policy, begin time.Time, most int, long time.Duration) (at []time.Time, last lockout.Verdict) {
	var s lockout.State
	for now := begin; len(at) < most && now.Sub(begin) < long; now = now.Add(2 * time.Second) {
		var v lockout.Verdict
		s, v = p.Step(s, lockout.Event{Kind: lockout.Reserve}, now)
		if v.Answer != lockout.Done {
			if v.Until.IsZero() {
				return at, v
			}
			now = v.Until.Add(-2 * time.Second)
			continue
		}
		at = append(at, now)
		s, last = p.Step(s, lockout.Event{Kind: lockout.Fail, Batch: v.Batch}, now)
	}
	return at, last
}

// NIST SP 800-63B-4, 3.2.2: no more than 100. In ours, who lets a day pass begins anew with passwords.
func TestPresetsOfNISTAndOursEndAfterAHundredGuesses(t *testing.T) {
	for _, name := range []string{lockout.PresetNIST, lockout.PresetRecommendation} {
		for _, r := range preset(t, name).Rules {
			if r.Factor == lockout.Reset && name == lockout.PresetRecommendation {
				continue // 128 random bits, for an hour or so: here a permanent lock would only be a nuisance
			}
			at, end := course(r.Policy, noon, 1000, 100000*time.Hour)
			require.LessOrEqual(t, len(at), 100, "%s %s %s", name, r.Factor, r.Class)
			require.Equal(t, lockout.Permanent, end.Standing)
		}
	}
	at, _ := course(preset(t, lockout.PresetNIST).Rules[0].Policy, noon, 1000, 100000*time.Hour)
	require.Len(t, at, 100, "and it is the 100th that disables it, not an earlier one")
}

// PCI DSS 4.0.1, 8.3.4.
func TestPresetOfPCILocksAfterTenForHalfAnHour(t *testing.T) {
	at, _ := course(preset(t, lockout.PresetPCI).Rules[0].Policy, noon, 12, 48*time.Hour)
	require.Less(t, at[9].Sub(at[0]), time.Minute)
	require.GreaterOrEqual(t, at[10].Sub(at[9]), 30*time.Minute)
	require.GreaterOrEqual(t, at[11].Sub(at[10]), 30*time.Minute)
}

func TestPresetOfKeycloakLocksAfterThirty(t *testing.T) {
	at, _ := course(preset(t, lockout.PresetKeycloak).Rules[0].Policy, noon, 61, 48*time.Hour)
	require.Less(t, at[29].Sub(at[0]), 2*time.Minute)
	require.Equal(t, time.Minute, at[30].Sub(at[29]), "MULTIPLE: 60 s * (30 / 30)")
	require.Equal(t, 2*time.Minute, at[60].Sub(at[59]), "60 s * (60 / 30)")
}

// What strangers do costs the owner nothing on a device or network of his own.
func TestRecommendationHasABudgetForEachClassOfPassword(t *testing.T) {
	p := preset(t, lockout.PresetRecommendation)
	seen := map[lockout.Key]bool{}
	for _, k := range []lockout.Key{
		{Factor: lockout.Password},
		{Factor: lockout.Password, Class: lockout.Familiar},
		{Factor: lockout.Password, Class: lockout.Trusted, Device: "laptop"},
		{Factor: lockout.Password, Class: lockout.Trusted, Device: "phone"},
		{Factor: lockout.OTP},
	} {
		counter, policy := p.Counter(k)
		require.NotNil(t, policy)
		require.Equal(t, k, counter)
		seen[counter] = true
	}
	require.Len(t, seen, 5)
}

func TestExplainOfEachPresetNamesItsFigures(t *testing.T) {
	for _, p := range lockout.Presets() {
		lines := strings.Split(strings.TrimSuffix(p.Explain(), "\n"), "\n")
		require.Len(t, lines, 1+len(p.Rules))
		for i, r := range p.Rules {
			line := lines[i+1]
			require.Contains(t, line, fmt.Sprintf("After %d wrong secrets in a row it is locked", r.Policy.Failures))
			require.NotContains(t, line, "m0s", line)
			require.Equal(t, r.Policy.Temporary >= 0, strings.Contains(line, "until somebody unlocks it"), line)
			require.Equal(t, r.Policy.Rapid > 0, strings.Contains(line, "bar it"), line)
		}
	}
}

func ExamplePreset() {
	p, err := lockout.Preset(lockout.PresetKeycloak)
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Rules[0].Policy.Explain())
	// Output:
	// After 30 wrong secrets in a row it is locked for 1m, with each 30 further failures for 1m more, up to 15m. A success ends the run, and so does 12h without a failure. Two failures within 1s bar it for 1m. A guess that is not settled within 30s counts as a failure.
}

func ExampleProfile_Explain() {
	p, err := lockout.ParseProfile([]byte(`{"name":"house","source":"the board, 2026-03","rules":[
		{"factor":"password","class":"trusted","policy":{"failures":20,"lock":"1m","growth":"linear","lock_most":"1h","temporary":-1,"reserve":"30s"}},
		{"factor":"password","class":"*","policy":{"failures":1,"reserve":"30s"}}
	]}`))
	if err != nil {
		panic(err)
	}
	fmt.Print(p.Explain())
	// Output:
	// house (the board, 2026-03)
	// password, from each trusted device: After 20 wrong secrets in a row it is locked for 1m, with each further failure for 1m more, up to 1h. A success ends the run. A guess that is not settled within 30s counts as a failure.
	// password, from anywhere else: After 1 wrong secret it is locked until somebody unlocks it. A success ends the run. A guess that is not settled within 30s counts as a failure.
}

func ExamplePresets() {
	for _, p := range lockout.Presets() {
		fmt.Println(p.Name)
	}
	// Output:
	// recommendation
	// nist-sp-800-63b-4
	// pci-dss-4.0.1
	// keycloak
	// slapd-ppolicy
}
