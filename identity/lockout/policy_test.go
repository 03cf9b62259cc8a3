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

func TestPolicyValidatesEachField(t *testing.T) {
	require.NoError(t, strict().Validate())
	for name, change := range map[string]func(*lockout.Policy){
		"failures is 0":                        func(p *lockout.Policy) { p.Failures = 0 },
		"failures is 1001":                     func(p *lockout.Policy) { p.Failures = 1001 },
		"forget is -1s":                        func(p *lockout.Policy) { p.Forget = -time.Second },
		"lock is 1.5µs":                        func(p *lockout.Policy) { p.Lock = 1500 * time.Nanosecond },
		"lock is 87840h0m0.001s":               func(p *lockout.Policy) { p.Lock = lockout.MaxPeriod + time.Millisecond },
		"lock is 0":                            func(p *lockout.Policy) { p.Lock = 0 },
		"lock, lock_most, growth":              func(p *lockout.Policy) { p.Temporary = 0 },
		"growth: unknown, one of 6 bytes":      func(p *lockout.Policy) { p.Growth = "random" },
		"lock_most is 1h0m0s":                  func(p *lockout.Policy) { p.LockMost = time.Hour },
		"lock_most is 1s":                      func(p *lockout.Policy) { p.Growth, p.LockMost = lockout.Linear, time.Second },
		"temporary is -2":                      func(p *lockout.Policy) { p.Temporary = -2 },
		"temporary is 1001":                    func(p *lockout.Policy) { p.Temporary = 1001 },
		"rapid is 1s, rapid_bar 0s":            func(p *lockout.Policy) { p.Rapid = time.Second },
		"rapid is 0s, rapid_bar 1s":            func(p *lockout.Policy) { p.RapidBar = time.Second },
		"rapid is 2h0m0s, want at most forget": func(p *lockout.Policy) { p.Rapid, p.RapidBar = 2*time.Hour, time.Second },
		"reserve is 999ms":                     func(p *lockout.Policy) { p.Reserve = 999 * time.Millisecond },
		"reserve is 10m0.001s":                 func(p *lockout.Policy) { p.Reserve = 10*time.Minute + time.Millisecond },
		"skew is -1ms":                         func(p *lockout.Policy) { p.Skew = -time.Millisecond },
	} {
		err := strict(change).Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.ErrorContains(t, err, "lockout: policy: "+name)
	}
	require.ErrorIs(t, lockout.Policy{}.Validate(), opsec.ErrInvalid)
}

func TestPolicyReadsNothingButItself(t *testing.T) {
	p := *strict()
	for _, bad := range []string{
		``, `null`, `{}`, `[]`, `{"failures":3}`,
		`{"failures":3,"temporary":0,"reserve":"10s","lock_for":"1m"}`,
		`{"failures":3,"temporary":0,"reserve":10}`,
		`{"failures":3,"temporary":0,"reserve":"10"}`,
		`{"failures":3.5,"temporary":0,"reserve":"10s"}`,
		`{"failures":-3,"temporary":0,"reserve":"10s"}`,
		`{"failures":3,"temporary":0,"reserve":"10s"}{}`,
		`{"failures":3,"temporary":0,"reserve":"10s","growth":"` + strings.Repeat("x", 5000) + `"}`,
	} {
		require.Error(t, p.UnmarshalJSON([]byte(bad)), "%.60s", bad)
		require.Equal(t, *strict(), p, "it stays as it was")
	}
	require.NoError(t, json.Unmarshal([]byte(`{"failures":3,"reserve":"10s"}`), &p))
	require.Equal(t, lockout.Policy{Failures: 3, Reserve: 10 * time.Second}, p)
}

func ExamplePolicy() {
	p := lockout.Policy{
		Failures: 5, Forget: 24 * time.Hour, Lock: time.Minute, Growth: lockout.Doubling, LockMost: time.Hour, Temporary: 10,
		Rapid: time.Second, RapidBar: time.Minute, Reserve: 30 * time.Second,
	}
	data, err := json.MarshalIndent(p, "", "  ")
	fmt.Println(string(data), err)
	// Output:
	// {
	//   "failures": 5,
	//   "growth": "doubling",
	//   "temporary": 10,
	//   "forget": "24h0m0s",
	//   "lock": "1m0s",
	//   "lock_most": "1h0m0s",
	//   "rapid": "1s",
	//   "rapid_bar": "1m0s",
	//   "reserve": "30s"
	// } <nil>
}

func ExamplePolicy_Step() {
	p := lockout.Policy{Failures: 2, Lock: time.Minute, Temporary: -1, Reserve: 10 * time.Second}
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	var s lockout.State
	for range 3 {
		var v lockout.Verdict
		s, v = p.Step(s, lockout.Event{Kind: lockout.Reserve}, now)
		if v.Answer != lockout.Done {
			fmt.Println("not to be tried:", v.Standing, "until", v.Until.Format(time.TimeOnly))
			return
		}
		// ... the secret is verified, and is wrong
		s, v = p.Step(s, lockout.Event{Kind: lockout.Fail, Batch: v.Batch}, now)
		fmt.Println("wrong, guesses left:", v.Left)
	}
	// Output:
	// wrong, guesses left: 1
	// wrong, guesses left: 0
	// not to be tried: locked until 12:01:00
}
