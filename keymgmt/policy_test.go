package keymgmt_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
)

var purposes = []keymgmt.Purpose{
	keymgmt.DataEncryption, keymgmt.KeyWrapping, keymgmt.Derivation, keymgmt.Authentication, keymgmt.Signature, keymgmt.Streaming,
}

func TestPolicyRefusesEachFigureOutOfBounds(t *testing.T) {
	require.ErrorIs(t, keymgmt.Policy{}.Validate(), opsec.ErrInvalid, "the zero Policy")
	second := approval.Policy{Stages: []approval.Stage{{Rule: approval.Rule{Role: "administrator"}}}}
	wide := approval.Policy{Stages: []approval.Stage{{Name: strings.Repeat("x", 128), Rule: approval.Rule{Role: strings.Repeat("y", 128)}}}}
	for field, change := range map[string]func(*keymgmt.Policy){
		"name":              func(p *keymgmt.Policy) { p.Name = strings.Repeat("x", 1025) },
		"source":            func(p *keymgmt.Policy) { p.Source = "\x00" },
		"originator_usage":  func(p *keymgmt.Policy) { p.OriginatorUsage = 0 },
		"originator_usage ": func(p *keymgmt.Policy) { p.OriginatorUsage, p.RecipientUsage = -1, 1 },
		"recipient_usage":   func(p *keymgmt.Policy) { p.RecipientUsage = p.OriginatorUsage - 1 },
		"recipient_usage ":  func(p *keymgmt.Policy) { p.RecipientUsage = keymgmt.MaxPeriod + 1 },
		"rotate_every":      func(p *keymgmt.Policy) { p.RotateEvery = 0 },
		"rotate_every ":     func(p *keymgmt.Policy) { p.RotateEvery = p.OriginatorUsage + 1 },
		"warn":              func(p *keymgmt.Policy) { p.Warn = -1 },
		"warn ":             func(p *keymgmt.Policy) { p.Warn = p.RotateEvery + 1 },
		"destroy_wait":      func(p *keymgmt.Policy) { p.DestroyWait = 0 },
		"destroy_wait ":     func(p *keymgmt.Policy) { p.DestroyWait = keymgmt.MaxPeriod + 1 },
		"messages":          func(p *keymgmt.Policy) { p.Messages = 0 },
		"bytes":             func(p *keymgmt.Policy) { p.Bytes = 0 },
		"block":             func(p *keymgmt.Policy) { p.Block = 0 },
		"block ":            func(p *keymgmt.Policy) { p.Messages, p.Block = 10, 11 },
		"block  ":           func(p *keymgmt.Policy) { p.Block = keymgmt.MaxPolicyBlock + 1 },
		"strength":          func(p *keymgmt.Policy) { p.Strength = 0 },
		"strength ":         func(p *keymgmt.Policy) { p.Strength = 257 },
		"128 bits":          func(p *keymgmt.Policy) { p.Strength, p.Algorithms = 192, []keymgmt.Algorithm{"AES128_GCM"} },
		"algorithms":        func(p *keymgmt.Policy) { p.Algorithms = []keymgmt.Algorithm{"ROT13"} },
		"twice":             func(p *keymgmt.Policy) { p.Algorithms = []keymgmt.Algorithm{"AES256_GCM", "AES256_GCM"} },
		"algorithms: 65":    func(p *keymgmt.Policy) { p.Algorithms = make([]keymgmt.Algorithm, 65) },
		"AES256_GCM bears": func(p *keymgmt.Policy) {
			p.Algorithms, p.Messages = []keymgmt.Algorithm{"AES256_GCM"}, 1<<32+1
		},
		"AES256_GCM bears ": func(p *keymgmt.Policy) {
			p.Algorithms, p.Bytes = []keymgmt.Algorithm{"AES256_GCM"}, 1<<52+1
		},
		"verb":         func(p *keymgmt.Policy) { p.Quorum = map[keymgmt.Verb]approval.Policy{"mend": second} },
		"quorum: dest": func(p *keymgmt.Policy) { p.Quorum = map[keymgmt.Verb]approval.Policy{keymgmt.Destroy: {}} },
		"quorum": func(p *keymgmt.Policy) {
			for len(wide.Stages) < 8 {
				wide.Stages = append(wide.Stages, wide.Stages[0])
			}
			p.Quorum = map[keymgmt.Verb]approval.Policy{}
			for _, v := range keyVerbs {
				p.Quorum[v] = wide
			}
		},
	} {
		p := keymgmt.Preset(keymgmt.DataEncryption)
		change(&p)
		err := p.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, strings.TrimSpace(field))
	}
}

func TestQuorumMayBeAskedForEachVerb(t *testing.T) {
	p := keymgmt.Preset(keymgmt.DataEncryption)
	second := p.Quorum[keymgmt.Destroy]
	for _, v := range append(keyVerbs[:len(keyVerbs):len(keyVerbs)], keymgmt.Create, keymgmt.Rotate, keymgmt.Update, keymgmt.BackUp,
		keymgmt.Recover, keymgmt.Grant, keymgmt.Reveal) {
		p.Quorum[v] = second
	}
	require.NoError(t, p.Validate())
}

func TestPolicyPermitsWhatMeetsIt(t *testing.T) {
	p := keymgmt.Preset(keymgmt.DataEncryption)
	require.NoError(t, p.Permits("AES256_GCM", keymgmt.DataEncryption))
	require.NoError(t, p.Permits("AES128_GCM", keymgmt.DataEncryption))
	for a, purpose := range map[keymgmt.Algorithm]keymgmt.Purpose{
		"AES256_GCM": keymgmt.Signature, "ED25519": keymgmt.DataEncryption, "ROT13": keymgmt.DataEncryption, "": "",
	} {
		require.ErrorIs(t, p.Permits(a, purpose), opsec.ErrInvalid)
	}
	p.Strength = 256
	require.ErrorContains(t, p.Permits("AES128_GCM", keymgmt.DataEncryption), "has 128 bits, the policy asks for 256")
	p.Algorithms = []keymgmt.Algorithm{"XCHACHA20_POLY1305"}
	require.ErrorContains(t, p.Permits("AES256_GCM", keymgmt.DataEncryption), "not in its list")
	p.Messages = 1 << 33
	require.NoError(t, p.Permits("XCHACHA20_POLY1305", keymgmt.DataEncryption))
	p.Algorithms = nil
	require.ErrorContains(t, p.Permits("AES256_GCM", keymgmt.DataEncryption), "bears 4294967296 messages")
}

func TestPolicyReadsWhatItWrites(t *testing.T) {
	for _, purpose := range purposes {
		p := keymgmt.Preset(purpose)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.Contains(t, string(text), `"destroy_wait":"720h0m0s"`)
		var read keymgmt.Policy
		require.NoError(t, json.Unmarshal(text, &read))
		require.Equal(t, p, read)
	}
}

func TestPolicyRefusesJSONThatItDoesNotKnow(t *testing.T) {
	good, err := json.Marshal(keymgmt.Preset(keymgmt.Signature))
	require.NoError(t, err)
	for _, text := range []string{
		`{}`, `null`, `[]`, ``, string(good) + `{}`,
		strings.Replace(string(good), `"warn"`, `"wran"`, 1),
		strings.Replace(string(good), `"26280h0m0s"`, `26280`, 1),
		strings.Replace(string(good), `"strength":128`, `"strength":1`, 1),
		strings.Replace(string(good), `"min_`, `"max_`, 1) + strings.Repeat(" ", 256<<10),
	} {
		require.NotEqual(t, string(good), text)
		p := keymgmt.Policy{Name: "as it was"}
		require.Error(t, p.UnmarshalJSON([]byte(text)), text)
		require.Equal(t, keymgmt.Policy{Name: "as it was"}, p)
	}
	var p keymgmt.Policy
	require.ErrorIs(t, p.UnmarshalJSON([]byte(`{"wran": 1}`)), opsec.ErrInvalid)
}

func TestPresetsHoldTheFiguresOfTheirSources(t *testing.T) {
	// Written from SP 800-57 part 1, table 1, as it is in the edition of March 2007: years to protect, and to process in all.
	const y = 365 * 24 * time.Hour
	table := map[keymgmt.Purpose][2]time.Duration{
		keymgmt.DataEncryption: {2 * y, 5 * y}, // "≤ 2 years", "≤ OUP + 3 years"
		keymgmt.KeyWrapping:    {2 * y, 5 * y}, // the same
		keymgmt.Streaming:      {2 * y, 5 * y}, // a data-encryption key
		keymgmt.Authentication: {2 * y, 5 * y}, // symmetric: the same
		keymgmt.Derivation:     {1 * y, 1 * y}, // "about 1 year"
		keymgmt.Signature:      {3 * y, 6 * y}, // private: "1 to 3 years"; public: "several years"
	}
	for _, purpose := range purposes {
		p := keymgmt.Preset(purpose)
		require.NoError(t, p.Validate())
		require.Equal(t, table[purpose], [2]time.Duration{p.OriginatorUsage, p.RecipientUsage}, purpose)
		require.Equal(t, uint64(4294967296), p.Messages) // SP 800-38D, section 8.3
		require.Equal(t, 30*24*time.Hour, p.DestroyWait) // AWS KMS, Cloud KMS: their defaults
		for _, a := range keymgmt.Algorithms(purpose) {
			require.NoError(t, p.Permits(a, purpose))
		}
		for _, v := range []keymgmt.Verb{
			keymgmt.Destroy, keymgmt.ForceDestroy, keymgmt.Unlink, keymgmt.Recover, keymgmt.Reveal, keymgmt.Update, keymgmt.Grant,
		} {
			require.Contains(t, p.Quorum, v, "and what would take the others away")
		}
		p.Quorum[keymgmt.Destroy] = approval.Policy{}
		require.NotEqual(t, p.Quorum, keymgmt.Preset(purpose).Quorum, "each is a fresh one")
	}
	require.Equal(t, keymgmt.Policy{}, keymgmt.Preset("magic"))
}

func TestAlgorithmsHaveOnePlaceAndFigures(t *testing.T) {
	for _, purpose := range purposes {
		list := keymgmt.Algorithms(purpose)
		require.NotEmpty(t, list)
		require.IsIncreasing(t, list)
		for _, a := range list {
			require.True(t, a.For(purpose))
			require.Contains(t, []int{128, 192, 256}, a.Strength())
			require.NotZero(t, a.Limits().Messages)
			require.NotZero(t, a.Limits().Bytes)
			if strings.Contains(string(a), "128") && strings.HasPrefix(string(a), "AES") {
				require.Equal(t, 128, a.Strength(), a)
			}
		}
	}
	require.Equal(t, keymgmt.Algorithms(keymgmt.DataEncryption), keymgmt.Algorithms(keymgmt.KeyWrapping))
	for _, a := range []keymgmt.Algorithm{"AES256_GCM", "AES128_GCM"} {
		require.Equal(t, uint64(1)<<32, a.Limits().Messages, "SP 800-38D, section 8.3")
	}
	require.Zero(t, keymgmt.Algorithm("ROT13").Strength())
	require.Zero(t, keymgmt.Algorithm("ROT13").Limits())
	require.Empty(t, keymgmt.Algorithms("magic"))
}

func TestPeriodsBothBeginWithTheActivation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := keymgmt.Policy{
			OriginatorUsage: time.Duration(rapid.Int64Range(1, int64(keymgmt.MaxPeriod)).Draw(t, "originator")),
		}
		p.RecipientUsage = time.Duration(rapid.Int64Range(int64(p.OriginatorUsage), int64(keymgmt.MaxPeriod)).Draw(t, "recipient"))
		protect, process := p.Periods(dawn)
		require.Equal(t, p.OriginatorUsage, protect.Sub(dawn))
		require.Equal(t, p.RecipientUsage, process.Sub(dawn))
		require.False(t, process.Before(protect))
	})
}

func FuzzPolicy(f *testing.F) {
	for _, purpose := range purposes {
		text, err := json.Marshal(keymgmt.Preset(purpose))
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p, again keymgmt.Policy
		if p.UnmarshalJSON(data) != nil {
			require.Equal(t, keymgmt.Policy{}, p)
			return
		}
		require.NoError(t, p.Validate())
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &again))
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(twice))
	})
}

func ExamplePreset() {
	p := keymgmt.Preset(keymgmt.DataEncryption)
	p.RotateEvery = 90 * 24 * time.Hour // more often than the preset
	fmt.Println(p.Validate(), p.Messages, p.DestroyWait)
	// Output: <nil> 4294967296 720h0m0s
}

func ExamplePolicy_Periods() {
	activation := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	protect, process := keymgmt.Preset(keymgmt.DataEncryption).Periods(activation)
	fmt.Println(protect.Format(time.DateOnly), process.Format(time.DateOnly))
	// Output: 2028-02-29 2031-02-28
}

func ExamplePolicy_Permits() {
	p := keymgmt.Preset(keymgmt.DataEncryption)
	fmt.Println(p.Permits("AES256_GCM", keymgmt.DataEncryption))
	fmt.Println(p.Permits("ED25519", keymgmt.DataEncryption))
	// Output:
	// <nil>
	// keymgmt: policy: algorithm "ED25519" is not for "data-encryption", or one of them is unknown: invalid
}

func ExampleAlgorithms() {
	for _, a := range keymgmt.Algorithms(keymgmt.Signature) {
		fmt.Println(a, a.Strength())
	}
	// Output:
	// ECDSA_P256 128
	// ECDSA_P384_SHA384 192
	// ECDSA_P384_SHA512 192
	// ECDSA_P521 256
	// ED25519 128
	// RSA_SSA_PSS_3072_SHA256_SHA256_32_F4 128
	// RSA_SSA_PSS_4096_SHA512_SHA512_64_F4 128
}
