// Accountaudit audits accounts from files: illegal, overdue and dormant ones, those that may do more or less than they
// should, attempts with accounts that are gone or never were, and events that mean more together than each alone. Exit 0:
// nothing was found; 1: there are findings; 2: wrong use or input. What was not tested, for lack of a file, is listed.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/cloudopsec/opsec/audit/accounts/correlate"
	"github.com/cloudopsec/opsec/audit/accounts/table"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

func main() { script.Exit(run(script.Interruptible(), os.Args[1:])) }

func run(ctx context.Context, args []string) error {
	a := &auditor{now: time.Now(), rules: correlate.Policy{Rules: correlate.Presets()}}
	flags := flag.NewFlagSet("accountaudit", flag.ContinueOnError)
	register := flags.String("accounts", "", "`file` of the register of accounts, CSV or JSON lines; required")
	events := flags.String("events", "", "`file` of events: JSON lines of an audit log, or CSV of sign-ins")
	people := flags.String("people", "", "`file` of the register of people, CSV or JSON lines")
	held := flags.String("entitlements", "", "`file` of what accounts hold, CSV or JSON lines")
	policy := flags.String("policy", "", "`file` of the policy, JSON (default: strict, and without roles)")
	rules := flags.String("rules", "", "`file` of the rules of correlation, JSON (default: those of the library)")
	moment(flags, "now", "`time` of the audit (default: now)", &a.now)
	moment(flags, "since", "`time` from which on the events are complete (default: that of the first one)", &a.Since)
	asJSON := flags.Bool("json", false, "print the report as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *register == "" || flags.NArg() > 0 {
		return fmt.Errorf("usage: accountaudit -accounts FILE [flags]; -h lists them")
	}
	defer a.close()
	var r *report
	for _, step := range []func() error{
		func() error { return load(*policy, &a.policy) },
		func() error { return load(*rules, &a.rules) },
		func() error { return sorted(a, *register, table.Accounts, &a.Accounts) },
		func() error { return sorted(a, *held, table.Entitlements, &a.Entitlements) },
		func() error { return sorted(a, *people, table.People, &a.People) },
		a.holders,
		func() error { return a.read(ctx, *events) },
		func() (err error) { r, err = a.audit(ctx); return err },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return script.Print(r, *asJSON, len(r.Findings)+len(r.Matches) == 0)
}

func moment(flags *flag.FlagSet, name, usage string, t *time.Time) {
	flags.Func(name, usage, func(s string) (err error) { *t, err = time.Parse(time.RFC3339, s); return err })
}

// load reads a policy, if there is a name.
func load(name string, policy json.Unmarshaler) error {
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err == nil {
		err = policy.UnmarshalJSON(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
