// Package correlate finds what no event shows alone: guessed passwords, then a log-in, then a new privilege. Rules say
// which events, how many of them, within what time and about whom; events come from the log, account audits and other
// detectors, and go through once.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.2, item 6: correlation analysis between different security events. The events of
// clause 8.1.1, item 5, are among them: what account audits find enters as an event too (accounts.Finding.Event,
// dataaccess.Finding.Event).
//
// # In short
//
//	engine, err := correlate.New(correlate.Policy{Rules: correlate.Presets()})
//	for e, ref := range events {
//		for _, m := range engine.Add(e, ref, time.Now()) {
//			... // m.Rule, m.Severity, m.Steps[i].Refs: the events of each step
//		}
//	}
//	rest := engine.Flush()
//	if s := engine.Status(); s.Lost() { ... } // what was left out, so that silence is not taken for calm
//
// A [Policy] is data:
//
//	{"lateness": "30s", "rules": [{
//	  "name": "guessed", "severity": "high", "within": "1h", "by": ["account"], "ordered": true,
//	  "steps": [
//	    {"category": "authentication", "outcomes": ["failure", "denied"], "count": 10},
//	    {"category": "authentication", "outcomes": ["success"], "part": "begin"}
//	  ]}]}
//
// # What a match is
//
// All steps of a rule, by events that agree in the fields of By, the first and the last of them at most Within apart. Of
// an ordered rule, all events of a step come after all events of the step before. A step with Distinct wants so many
// different values instead of so many events. After a match the events about the same begin anew: no event is part of
// two matches of one rule about the same. Each match is found: what is remembered of a step is enough to decide, whatever
// comes.
//
// # Promises
//
// Memory is bounded by the policy and the length of your references, whatever is sent. What is dropped for it, or because
// it came too late, is counted in [Status]. Values are remembered as digests under a random key of the process; a match shows those of the last event.
//
// # What it will not do
//
// Notice that something did not happen, judge by frequency over months, or correlate events whose clocks differ by more
// than the lateness. A rule that groups failed log-ins by account shows, in its matches, account names as the log has
// them: whoever typed a password into that field is shown too, unless the log leaves unknown names out.
package correlate
