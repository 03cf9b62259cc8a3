package sla

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// clause looks at the eight elements.
func (c *checker) clause() {
	all, targets := &c.a.Clause, map[string]bool{}
	if e := all.Continuity; c.has("clause.continuity", e != nil, "7.2.2.1") {
		c.targets("clause.continuity.recovery", e.Recovery, targets, response.Recovery)
		c.text("clause.continuity.disaster", e.Disaster)
	}
	if e := all.Data; c.has("clause.data", e != nil, "7.2.2.2") {
		c.data(e)
	}
	if e := all.Emergency; c.has("clause.emergency", e != nil, "7.2.2.3") {
		c.text("clause.emergency.hotline", e.Hotline)
		if len(e.Hours.Hours) == 0 {
			c.fault("clause.emergency.hours", RuleMissing, "when the hotline answers is not said")
		} else if err := e.Hours.Validate(); err != nil {
			c.adopt("clause.emergency.hours", RuleInvalid, err)
		} else if !fiveByEight(e.Hours.Hours) {
			c.fault("clause.emergency.hours", RuleInvalid, "less than 5x8: the hotline answers on five days a week for eight hours at least")
		}
		c.targets("clause.emergency.targets", e.Targets, targets, response.Acceptance, response.Troubleshooting)
	}
	if e := all.Measures; c.has("clause.measures", e != nil, "7.2.2.4") {
		c.statement("7.2.2.4", "clause.measures.virtualization", e.Virtualization)
		c.statement("7.2.2.4", "clause.measures.isolation", e.Isolation)
		c.statement("7.2.2.4", "clause.measures.privileged", e.Privileged)
		c.statement("7.2.2.4", "clause.measures.authentication", e.Authentication)
		c.statement("7.2.2.4", "clause.measures.traffic", e.Traffic)
		c.statement("7.2.2.4", "clause.measures.malware", e.Malware)
		if p := e.Patches; c.statement("7.2.2.4", "clause.measures.patches", p) && (p.Within == nil || p.Interval <= 0) {
			c.fault("clause.measures.patches", RuleUnmeasurable, "how often patches are made, and within what time of their release, is not said")
		}
	}
	if e := all.Audit; c.has("clause.audit", e != nil, "7.2.2.5") {
		c.length("clause.audit.every", e.Every)
		c.one("clause.audit.by", e.By, "internal", "third-party", "both")
		c.some("clause.audit.scope", e.Scope)
		c.text("clause.audit.visible", e.Visible)
	}
	if e := all.Monitoring; c.has("clause.monitoring", e != nil, "7.2.2.6") {
		if len(e.Objects) == 0 {
			c.fault("clause.monitoring.objects", RuleMissing, "nothing is monitored")
		}
		for i, o := range e.Objects {
			at := fmt.Sprintf("clause.monitoring.objects[%d]", i)
			c.text(at+".object", o.Object)
			c.text(at+".trigger", o.Trigger)
			c.severity(at+".severity", o.Severity)
		}
		c.targets("clause.monitoring.notification", e.Notification, targets, response.Notification)
		c.some("clause.monitoring.modes", e.Modes)
	}
	if e := all.Certification; c.has("clause.certification", e != nil, "7.2.2.7") {
		c.certification(e)
	}
	if e := all.Documents; c.has("clause.documents", e != nil, "7.2.2.8") {
		c.text("clause.documents.where", e.Where)
		c.some("clause.documents.list", e.List)
		c.some("clause.documents.formats", e.Formats)
		c.length("clause.documents.keep", e.Keep)
	}
}

func (c *checker) has(path string, there bool, clause string) bool {
	if !there {
		c.fault(path, RuleMissing, "clause %s asks for it", clause)
	}
	return there
}

// one asks for one of a few words.
func (c *checker) one(path, word string, of ...string) {
	switch {
	case word == "":
		c.fault(path, RuleMissing, "want one of %q", of)
	case !slices.Contains(of, word):
		c.fault(path, RuleInvalid, "want one of %q", of)
	}
}

func (c *checker) severity(path string, s opsec.Severity) {
	if s != "" && s.Rank() == 0 {
		c.fault(path, RuleInvalid, "not a severity")
	}
}

// statement asks for a measure that says how it can be checked.
func (c *checker) statement(clause, path string, s *Statement) bool {
	if !c.has(path, s != nil, clause) {
		return false
	}
	c.text(path+".text", s.Text)
	if s.Evidence == "" {
		c.fault(path+".evidence", RuleUnmeasurable, "how the customer can check it is not said")
	}
	c.once(path+".scope", s.Scope)
	for i, in := range s.Scope {
		if !c.service[in] && !responsibility.Layer(in).Known() {
			c.fault(fmt.Sprintf("%s.scope[%d]", path, i), RuleUnknown, "neither a service of the agreement nor a layer")
		}
	}
	c.once(path+".controls", s.Controls)
	if s.Interval < 0 {
		c.fault(path+".interval", RuleInvalid, "want a duration above 0")
	}
	if s.Within != nil && *s.Within < 0 {
		c.fault(path+".within", RuleInvalid, "want a duration of 0 or more")
	}
	return true
}

// targets asks for a target of each of the measures, and of no other.
func (c *checker) targets(path string, list []response.Target, ids map[string]bool, want ...response.Measure) {
	seen := map[response.Measure]bool{}
	for i, t := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.id(at+".id", t.ID, ids)
		if !slices.Contains(want, t.Measure) {
			c.fault(at+".measure", RuleInvalid, "want one of %v", want)
		}
		seen[t.Measure] = true
		if t.Mean <= 0 && t.Each <= 0 {
			c.fault(at, RuleUnmeasurable, "neither a mean nor a bound of each is promised")
			continue
		}
		c.adopt(at, RuleUnmeasurable, t.Validate())
	}
	for _, m := range want {
		if !seen[m] {
			c.fault(path, RuleMissing, "no target of %s", m)
		}
	}
}

func (c *checker) data(e *Data) {
	c.statement("7.2.2.2", "clause.data.physical", e.Physical)
	c.statement("7.2.2.2", "clause.data.medium", e.Medium)
	phases := map[Phase]bool{}
	for i, x := range e.Encryption {
		at := fmt.Sprintf("clause.data.encryption[%d]", i)
		c.text(at+".data", x.Data)
		if !slices.Contains(Phases(), x.Phase) {
			c.fault(at+".phase", RuleInvalid, "want one of %v", Phases())
		}
		phases[x.Phase] = true
		if x.Algorithm != "" {
			c.one(at+".keyOwner", x.KeyOwner, "provider", "customer", "third-party")
		} else if x.Protection == "" {
			c.fault(at+".algorithm", RuleMissing, "neither an algorithm nor what protects it instead")
		}
	}
	for _, p := range Phases() {
		if !phases[p] {
			c.fault("clause.data.encryption", RuleMissing, "how data %s is protected is not said (7.2.1)", p)
		}
	}
	c.statement("7.2.2.2", "clause.data.access", e.Access)
	if x := e.Isolation; c.has("clause.data.isolation", x != nil, "7.2.2.2") {
		c.one("clause.data.isolation.kind", x.Kind, "logical", "physical")
		c.text("clause.data.isolation.text", x.Text)
	}
	if x := e.Deletion; c.has("clause.data.deletion", x != nil, "7.2.2.2") {
		c.text("clause.data.deletion.method", x.Method)
		c.length("clause.data.deletion.within", x.Within)
		if !x.BeforeReuse {
			c.fault("clause.data.deletion.beforeReuse", RuleInvalid, "data must be gone before its resource is another customer's")
		}
	}
	if x := e.Backup; c.has("clause.data.backup", x != nil, "7.2.2.2") {
		c.backup(x)
	}
	c.statement("7.2.2.2", "clause.data.operations", e.Operations)
	c.compliance(e.Compliance)
}

func (c *checker) backup(x *Backup) {
	switch {
	case x.RPO == nil:
		c.fault("clause.data.backup.rpo", RuleMissing, "no recovery point objective")
	case *x.RPO < 0:
		c.fault("clause.data.backup.rpo", RuleInvalid, "want a duration of 0 or more")
	}
	c.length("clause.data.backup.rto", x.RTO)
	c.length("clause.data.backup.retention", x.Retention)
	if x.OnSite < 0 || x.OffSite < 0 || x.OnSite+x.OffSite == 0 {
		c.fault("clause.data.backup.onSite", RuleInvalid, "want the numbers of copies on site and off site, one at least")
	}
	c.length("clause.data.backup.testEvery", x.TestEvery)
}

// compliance asks for each jurisdiction of the agreement once, and for times of retention that can all be kept.
func (c *checker) compliance(list []Compliance) {
	const at = "clause.data.compliance"
	seen := map[string]bool{}
	var least, most *metric.Duration
	for i, x := range list {
		at := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case seen[x.Law]:
			c.fault(at+".law", RuleDuplicate, "another one is of this law")
		case !slices.Contains(c.a.Law, x.Law):
			c.fault(at+".law", RuleUnknown, "not a law of the agreement")
		}
		seen[x.Law] = true
		c.text(at+".collection", x.Collection)
		c.text(at+".transfer", x.Transfer)
		c.text(at+".handling", x.Handling)
		c.text(at+".storage", x.Storage)
		c.text(at+".destruction", x.Destroying)
		c.text(at+".correction", x.Correction)
		if d := x.KeepLeast; d != nil {
			c.length(at+".keepLeast", *d)
			if least == nil || *d > *least {
				least = d
			}
		}
		if d := x.KeepMost; d != nil {
			c.length(at+".keepMost", *d)
			if most == nil || *d < *most {
				most = d
			}
		}
	}
	for _, l := range c.a.Law {
		if !seen[l] {
			c.fault(at, RuleMissing, "nothing is said of the law of %s", l)
		}
	}
	if least != nil && most != nil && *least > *most {
		c.fault(at, RuleContradiction, "data must be kept for %s at least, and for %s at most", lasts(*least), lasts(*most))
	}
	if b := c.a.Clause.Data.Backup; b != nil && most != nil && b.Retention > *most {
		c.fault("clause.data.backup.retention", RuleContradiction, "backups are kept longer than the %s that the law allows", lasts(*most))
	}
}

func (c *checker) certification(e *Certification) {
	if len(e.Held) == 0 {
		c.fault("clause.certification.held", RuleMissing, "no certificate is held")
	}
	for i, x := range e.Held {
		at := fmt.Sprintf("clause.certification.held[%d]", i)
		c.text(at+".name", x.Name)
		c.text(at+".issuer", x.Issuer)
		switch {
		case x.Expires.IsZero():
			c.fault(at+".expires", RuleMissing, "until when it holds is not said")
		case !x.Expires.After(c.a.Effective):
			c.fault(at+".expires", RuleContradiction, "it has expired before the agreement begins")
		}
	}
	c.statement("7.2.2.7", "clause.certification.training", e.Training)
}

// fiveByEight reports whether hours begin on five days of the week at least, and last for eight hours at least each.
func fiveByEight(hours []calendar.Shift) bool {
	days := 0
	for d := time.Sunday; d <= time.Saturday; d++ {
		var sum calendar.TimeOfDay
		for _, s := range hours {
			if !s.Days.Has(d) {
				continue
			}
			length := s.Span.End - s.Span.Start
			if length <= 0 {
				length += calendar.Clock(24, 0)
			}
			sum += length
		}
		if sum >= calendar.Clock(8, 0) {
			days++
		}
	}
	return days >= 5
}

// Phases returns the states of data of clause 7.2.1.
func Phases() []Phase { return []Phase{AtRest, InUse, InMotion} }
