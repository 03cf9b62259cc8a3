package accounts

import (
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// ActionFinding is the action of the event that says what an audit has found.
const ActionFinding = "accounts.finding"

// Event returns the finding as an event, for the security audit to take up (8.1.1, item 5): at the time now, in the name
// of the tenant concerned. Attributes carry the kind, the severity, the detail, the count, the permissions and the
// references of the evidence, as many as an event holds.
func (f *Finding) Event(now time.Time) *opsec.Event {
	e := opsec.NewEvent(ActionFinding, now)
	e.Tenant, e.Outcome = f.Tenant, opsec.Success
	e.Actor = opsec.Actor{Tenant: opsec.Provider, Account: "audit/accounts", Kind: opsec.System}
	switch {
	case f.Account != Key{}:
		e.Resource = opsec.Resource{Tenant: f.Account.Tenant, Type: "account", ID: clip(f.Account.Account())}
	case f.Person != "":
		e.Resource = opsec.Resource{Tenant: f.Tenant, Type: "person", ID: f.Person}
	case f.Origin.IsValid():
		e.Resource = opsec.Resource{Tenant: f.Tenant, Type: "origin", ID: f.Origin.String()}
	}
	e.Attrs = []opsec.Attr{
		{Key: "kind", Value: string(f.Kind), Mark: opsec.Public},
		{Key: "severity", Value: string(f.Severity), Mark: opsec.Public},
		{Key: "detail", Value: clip(f.Detail), Mark: opsec.Personal},
	}
	if f.Count > 0 {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "count", Value: strconv.FormatUint(f.Count, 10), Mark: opsec.Tenant})
	}
	if !f.Since.IsZero() {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "since", Value: f.Since.UTC().Format(time.RFC3339), Mark: opsec.Tenant})
	}
	if f.Origin.IsValid() {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "origin", Value: f.Origin.String(), Mark: opsec.Personal})
	}
	e.Attrs = append(e.Attrs, listed("permissions", f.Permissions)...)
	e.Attrs = append(e.Attrs, listed("evidence", f.Evidence)...)
	return e
}

// listed returns the texts as one attribute, a line each, as many as fit.
func listed(key string, texts []string) []opsec.Attr {
	var b strings.Builder
	for _, s := range texts {
		if b.Len()+len(s)+1 > opsec.MaxValueLen {
			break
		}
		b.WriteString(s)
		b.WriteByte('\n')
	}
	if b.Len() == 0 {
		return nil
	}
	return []opsec.Attr{{Key: key, Value: strings.TrimSuffix(b.String(), "\n"), Mark: opsec.Tenant}}
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), opsec.MaxValueLen)], "") }
