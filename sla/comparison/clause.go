package comparison

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla"
)

// stands is shown of what is there, and says nothing.
const stands = "stated"

// part compares two things that are there once, or not at all: nothing promises less than anything. What says nothing is not
// there.
func part[T any](path, clause string, a, b *T, compare func(t *terms, a, b *T)) []Difference {
	switch inA, inB := says(a, compare), says(b, compare); {
	case !inA && !inB:
		return nil
	case !inA:
		return []Difference{{path, clause, Stronger, "", stands, "an element more"}}
	case !inB:
		return []Difference{{path, clause, Weaker, stands, "", "an element that is missing"}}
	}
	return weigh(path, clause, func(t *terms) { compare(t, a, b) })
}

// says reports whether something is there, and is not the same as one with empty fields.
func says[T any](one *T, compare func(t *terms, a, b *T)) bool {
	t := terms{rel: same}
	if one != nil {
		compare(&t, new(T), one)
	}
	return t.rel != same
}

// statement compares a measure that is stated. A scope alone says nothing.
func statement(path, clause string, a, b *sla.Statement) []Difference {
	for _, s := range []**sla.Statement{&a, &b} {
		if all := value(*s); *s != nil {
			if all.Scope = nil; !says(&all, compareStatements) {
				*s = nil
			}
		}
	}
	return part(path, clause, a, b, compareStatements)
}

func compareStatements(t *terms, a, b *sla.Statement) {
	t.words("text", a.Text, b.Text)
	t.scope("scope", a.Scope, b.Scope)
	t.set("controls", a.Controls, b.Controls)
	t.words("evidence", a.Evidence, b.Evidence)
	t.short("interval", a.Interval, b.Interval)
	t.within("within", a.Within, b.Within)
}

// elements compares those of clauses 7.2.2.1 to 7.2.2.8.
func elements(a, b *sla.Clause) (out []Difference) {
	add := func(list []Difference) { out = append(out, list...) }

	x, y := value(a.Continuity), value(b.Continuity)
	add(targets("clause.continuity.recovery", "7.2.2.1", x.Recovery, y.Recovery, newClock(nil), newClock(nil)))
	add(weigh("clause.continuity", "7.2.2.1", func(t *terms) { t.words("disaster", x.Disaster, y.Disaster) }))

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
		empty:   func(c *sla.Compliance) bool { return !says(c, compareCompliance) },
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
	came:  "protected data more",
	went:  "nothing is said of its protection",
	empty: func(e *sla.Encryption) bool { return strings.TrimSpace(e.Algorithm+e.KeyOwner+e.Protection) == "" },
}

func compareEncryption(t *terms, a, b *sla.Encryption) {
	t.words("data", a.Data, b.Data)
	t.rank("algorithm", a.Algorithm, b.Algorithm, strongerAlgorithm, "longer keys, or a later version")
	t.rank("keyOwner", a.KeyOwner, b.KeyOwner, func(high, low string) bool {
		return high == "customer" && (low == "provider" || low == "third-party")
	}, "whose the keys are")
	if (strings.TrimSpace(a.Algorithm) == "") == (strings.TrimSpace(b.Algorithm) == "") { // what is encrypted needs no other protection
		t.words("protection", a.Protection, b.Protection)
	}
}

// strongerAlgorithm reports whether two names differ in nothing but the length of the key of AES or RSA, or the version of
// TLS, and the first has more. What else is stronger is for people to weigh, and what nobody has is not.
func strongerAlgorithm(high, low string) bool {
	for family, rising := range map[string]string{"AES-": "128 192 256", "RSA-": "1024 2048 3072 4096 8192", "TLS 1.": "0 1 2 3"} {
		h, okHigh := strings.CutPrefix(high, family)
		l, okLow := strings.CutPrefix(low, family)
		if okHigh && okLow {
			h, modeHigh, _ := strings.Cut(h, "-")
			l, modeLow, _ := strings.Cut(l, "-")
			list := strings.Fields(rising)
			i := slices.Index(list, l)
			return i >= 0 && slices.Index(list, h) > i && modeHigh == modeLow
		}
	}
	return false
}

// emergency is clause 7.2.2.3.
func emergency(a, b sla.Emergency) (out []Difference) {
	x, y := emergencyClock(a.Hours), emergencyClock(b.Hours)
	out = weigh("clause.emergency", "7.2.2.3", func(t *terms) {
		t.there("hotline", a.Hotline, b.Hotline)
		switch none := len(a.Hours.Hours) == 0; {
		case none == (len(b.Hours.Hours) == 0):
			t.hours("hours", x, y)
		case none:
			t.alike("hours", "", y.text, "")
		default:
			t.alike("hours", x.text, "", "")
		}
	})
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
	return append(out, weigh("clause.monitoring", "7.2.2.6", func(t *terms) {
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
			t.words("issuer", a.Issuer, b.Issuer)
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
	return t.Format(time.RFC3339Nano)
}
