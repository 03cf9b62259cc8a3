package comparison

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla"
)

// stands is shown of what is there, and says nothing.
const stands = "stated"

// part compares two things that are there once, or not at all: nothing promises less than anything.
func part[T any](path, clause string, a, b *T, compare func(t *terms, a, b *T)) []Difference {
	switch {
	case a == nil && b == nil:
		return nil
	case a == nil:
		return []Difference{{path, clause, Stronger, "", stands, "an element more"}}
	case b == nil:
		return []Difference{{path, clause, Weaker, stands, "", "an element that is missing"}}
	}
	var list []row
	compare(&terms{rel: same, rows: &list}, a, b)
	return differences(path, clause, list)
}

// statement compares a measure that is stated.
func statement(path, clause string, a, b *sla.Statement) []Difference {
	return part(path, clause, a, b, func(t *terms, a, b *sla.Statement) {
		t.words("text", a.Text, b.Text)
		t.scope("scope", a.Scope, b.Scope)
		t.set("controls", a.Controls, b.Controls)
		t.words("evidence", a.Evidence, b.Evidence)
		t.short("interval", a.Interval, b.Interval)
		t.within("within", a.Within, b.Within)
	})
}

// elements compares those of clauses 7.2.2.1 to 7.2.2.8.
func elements(a, b *sla.Clause) (out []Difference) {
	add := func(list []Difference) { out = append(out, list...) }

	x, y := value(a.Continuity), value(b.Continuity)
	add(targets("clause.continuity.recovery", "7.2.2.1", x.Recovery, y.Recovery, newClock(nil), newClock(nil)))
	add(part("clause.continuity", "7.2.2.1", &x, &y, func(t *terms, a, b *sla.Continuity) { t.words("disaster", a.Disaster, b.Disaster) }))

	add(data(value(a.Data), value(b.Data)))
	add(emergency(value(a.Emergency), value(b.Emergency)))

	m, n := value(a.Measures), value(b.Measures)
	for _, s := range []struct {
		name string
		a, b *sla.Statement
	}{
		{"virtualization", m.Virtualization, n.Virtualization},
		{"isolation", m.Isolation, n.Isolation},
		{"privileged", m.Privileged, n.Privileged},
		{"authentication", m.Authentication, n.Authentication},
		{"traffic", m.Traffic, n.Traffic},
		{"malware", m.Malware, n.Malware},
		{"patches", m.Patches, n.Patches},
	} {
		add(statement("clause.measures."+s.name, "7.2.2.4", s.a, s.b))
	}

	add(part("clause.audit", "7.2.2.5", a.Audit, b.Audit, func(t *terms, a, b *sla.Audit) {
		t.short("every", a.Every, b.Every)
		t.rank("by", a.By, b.By, func(high, low string) bool { return high == "both" && (low == "internal" || low == "third-party") },
			"auditors of both kinds, or of one")
		t.set("scope", a.Scope, b.Scope)
		t.words("visible", a.Visible, b.Visible)
	}))
	add(monitoring(value(a.Monitoring), value(b.Monitoring)))
	add(certification(value(a.Certification), value(b.Certification)))
	add(part("clause.documents", "7.2.2.8", a.Documents, b.Documents, func(t *terms, a, b *sla.Documents) {
		t.there("where", a.Where, b.Where)
		t.set("list", a.List, b.List)
		t.set("formats", a.Formats, b.Formats)
		t.long("keep", a.Keep, b.Keep)
	}))
	return out
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// data is clause 7.2.2.2.
func data(a, b sla.Data) (out []Difference) {
	const at, clause = "clause.data.", "7.2.2.2"
	add := func(list []Difference) { out = append(out, list...) }
	add(statement(at+"physical", clause, a.Physical, b.Physical))
	add(statement(at+"medium", clause, a.Medium, b.Medium))
	add(encryption.differences(a.Encryption, b.Encryption))
	add(statement(at+"access", clause, a.Access, b.Access))
	add(part(at+"isolation", clause, a.Isolation, b.Isolation, func(t *terms, a, b *sla.Isolation) {
		t.rank("kind", a.Kind, b.Kind, func(high, low string) bool { return high == "physical" && low == "logical" },
			"apart physically, or logically")
		t.words("text", a.Text, b.Text)
	}))
	add(part(at+"deletion", clause, a.Deletion, b.Deletion, func(t *terms, a, b *sla.Deletion) {
		t.words("method", a.Method, b.Method)
		t.short("within", a.Within, b.Within)
		t.yes("beforeReuse", a.BeforeReuse, b.BeforeReuse)
		t.yes("certificate", a.Certificate, b.Certificate)
	}))
	add(part(at+"backup", clause, a.Backup, b.Backup, func(t *terms, a, b *sla.Backup) {
		t.within("rpo", a.RPO, b.RPO)
		t.short("rto", a.RTO, b.RTO)
		t.long("retention", a.Retention, b.Retention)
		t.number("onSite", a.OnSite, b.OnSite)
		t.number("offSite", a.OffSite, b.OffSite)
		t.short("testEvery", a.TestEvery, b.TestEvery)
	}))
	add(statement(at+"operations", clause, a.Operations, b.Operations))
	k := kind[sla.Compliance]{
		path: at + "compliance", clause: clause,
		id:      func(c *sla.Compliance) string { return "law=" + c.Law },
		key:     func(c *sla.Compliance) string { return c.Law },
		compare: compareCompliance,
		show:    func(c *sla.Compliance) string { return c.Law },
		came:    "a jurisdiction more",
		went:    "nothing is said of the jurisdiction",
	}
	add(k.differences(a.Compliance, b.Compliance))
	return out
}

func compareCompliance(t *terms, a, b *sla.Compliance) {
	t.words("collection", a.Collection, b.Collection)
	t.words("transfer", a.Transfer, b.Transfer)
	t.words("handling", a.Handling, b.Handling)
	t.words("storage", a.Storage, b.Storage)
	t.words("destruction", a.Destroying, b.Destroying)
	t.words("correction", a.Correction, b.Correction)
	const why = "what the law asks for is said otherwise"
	t.alike("keepLeast", length(a.KeepLeast), length(b.KeepLeast), why)
	t.alike("keepMost", length(a.KeepMost), length(b.KeepMost), why)
}

var encryption = &kind[sla.Encryption]{
	path: "clause.data.encryption", clause: "7.2.2.2",
	id:      func(e *sla.Encryption) string { return fmt.Sprintf("phase=%s,data=%s", e.Phase, e.Data) },
	key:     func(e *sla.Encryption) string { return string(e.Phase) },
	compare: compareEncryption,
	show: func(e *sla.Encryption) string {
		if e.Algorithm == "" {
			return e.Data + ": " + e.Protection
		}
		return e.Data + ": " + e.Algorithm
	},
	came: "protected data more",
	went: "nothing is said of its protection",
}

func compareEncryption(t *terms, a, b *sla.Encryption) {
	t.words("data", a.Data, b.Data)
	t.rank("algorithm", a.Algorithm, b.Algorithm, strongerAlgorithm, "longer keys, or a later version")
	t.rank("keyOwner", a.KeyOwner, b.KeyOwner, func(high, low string) bool {
		return high == "customer" && (low == "provider" || low == "third-party")
	}, "whose the keys are")
	if (a.Algorithm == "") == (b.Algorithm == "") { // what is encrypted needs no other protection
		t.words("protection", a.Protection, b.Protection)
	}
}

// strongerAlgorithm reports whether two names differ in nothing but the length of the key of AES or RSA, or the version of
// TLS, and the first has more. What else is stronger is for people to weigh.
func strongerAlgorithm(high, low string) bool {
	for _, family := range []string{"AES-", "RSA-", "TLS 1."} {
		h, okHigh := strings.CutPrefix(high, family)
		l, okLow := strings.CutPrefix(low, family)
		if !okHigh || !okLow {
			continue
		}
		h, modeHigh, _ := strings.Cut(h, "-")
		l, modeLow, _ := strings.Cut(l, "-")
		x, errHigh := strconv.ParseUint(h, 10, 16)
		y, errLow := strconv.ParseUint(l, 10, 16)
		return errHigh == nil && errLow == nil && modeHigh == modeLow && x > y
	}
	return false
}

// emergency is clause 7.2.2.3.
func emergency(a, b sla.Emergency) (out []Difference) {
	var list []row
	t := &terms{rel: same, rows: &list}
	t.there("hotline", a.Hotline, b.Hotline)
	x, y := emergencyClock(a.Hours), emergencyClock(b.Hours)
	switch none := len(a.Hours.Hours) == 0; {
	case none == (len(b.Hours.Hours) == 0):
		t.hours("hours", x, y)
	case none:
		t.alike("hours", "", y.text, "")
	default:
		t.alike("hours", x.text, "", "")
	}
	out = append(out, differences("clause.emergency", "7.2.2.3", list)...)
	return append(out, targets("clause.emergency.targets", "7.2.2.3", a.Targets, b.Targets, x, y)...)
}

// monitoring is clause 7.2.2.6.
func monitoring(a, b sla.Monitoring) (out []Difference) {
	k := kind[sla.Watched]{
		path: "clause.monitoring.objects", clause: "7.2.2.6",
		id:  func(w *sla.Watched) string { return "object=" + w.Object },
		key: func(w *sla.Watched) string { return w.Object },
		compare: func(t *terms, a, b *sla.Watched) {
			t.words("trigger", a.Trigger, b.Trigger)
			t.alike("severity", string(a.Severity), string(b.Severity), "it is of another severity")
		},
		show: func(w *sla.Watched) string { return w.Object + " " + w.Trigger },
		came: "an object of monitoring more",
		went: "it is not monitored",
	}
	out = append(out, k.differences(a.Objects, b.Objects)...)
	out = append(out, targets("clause.monitoring.notification", "7.2.2.6", a.Notification, b.Notification, newClock(nil), newClock(nil))...)
	return append(out, part("clause.monitoring", "7.2.2.6", &a, &b, func(t *terms, a, b *sla.Monitoring) {
		t.set("modes", a.Modes, b.Modes)
		t.words("self", a.Self, b.Self)
	})...)
}

// certification is clause 7.2.2.7.
func certification(a, b sla.Certification) []Difference {
	k := kind[sla.Certificate]{
		path: "clause.certification.held", clause: "7.2.2.7",
		id:  func(c *sla.Certificate) string { return "name=" + c.Name },
		key: func(c *sla.Certificate) string { return c.Name },
		compare: func(t *terms, a, b *sla.Certificate) {
			t.alike("issuer", a.Issuer, b.Issuer, "another issuer")
			t.words("scope", a.Scope, b.Scope)
			if rel := sign(b.Expires.Compare(a.Expires)); t.differ(rel) {
				t.write("expires", moment(a.Expires), moment(b.Expires), rel, gained(rel, "it is valid for longer", "it expires before"))
			}
		},
		show: func(c *sla.Certificate) string { return c.Name },
		came: "a certificate more",
		went: "it is not held",
	}
	return append(k.differences(a.Held, b.Held), statement("clause.certification.training", "7.2.2.7", a.Training, b.Training)...)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
