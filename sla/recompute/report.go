package recompute

import (
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// ReportSchema is the version of the form of a [Report].
const ReportSchema = "opsec.sla.report/v1"

// Report says what a period was like, beside what was agreed. It has no times but those of its inputs: the same inputs give
// the same bytes.
type Report struct {
	Schema     string             `json:"schema"`
	Agreement  Cited              `json:"agreement"`
	Period     Period             `json:"period"`
	AsOf       time.Time          `json:"asOf"` // up to which evidence was taken
	Evidence   Evidence           `json:"evidence"`
	Services   []Service          `json:"services"` // in the agreement's order
	Responses  []response.Summary `json:"responses,omitempty"`
	Exposures  []Exposure         `json:"exposures,omitempty"` // by source
	Exclusions []sla.Ruling       `json:"exclusions,omitempty"`
	Findings   []Finding          `json:"findings,omitempty"`
	Supersedes string             `json:"supersedes,omitempty"` // digest of the report of this period that this one restates
	Why        string             `json:"why,omitempty"`        // it was restated
}

// Cited is the agreement that was applied.
type Cited struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Digest  string `json:"digest"` // "sha256:" and 64 hexadecimal digits
}

// Period is what is reported on.
type Period struct {
	Name string        `json:"name"` // such as "2026-03"
	Zone string        `json:"zone"`
	Span timeline.Span `json:"span"`
}

// Evidence is what the report was made from, by digest: "sha256:" and the SHA-256 of a JSON list without white space, none of an empty list.
// Of what was known as of the report's moment each piece is there once, with its times in UTC, in order of its text.
type Evidence struct {
	Span       timeline.Span `json:"span"`                 // of which the states were taken
	States     string        `json:"states"`               // that of the meter: pieces that began in the span are cited whole
	Incidents  string        `json:"incidents,omitempty"`  // of which a measure began in the period: see [Report.Known]
	Exclusions string        `json:"exclusions,omitempty"` // that began before as-of, of other periods too
	Points     string        `json:"points,omitempty"`     // by source
}

// Service is how a service was.
type Service struct {
	ID         string           `json:"id"`
	Title      string           `json:"title,omitempty"`
	Objectives []Objective      `json:"objectives"`
	Credits    []credit.Due     `json:"credits,omitempty"` // of the service, or of resources that are judged alone: then Service is "service/resource"
	Totals     []credit.Total   `json:"totals,omitempty"`  // under the caps
	Strip      []timeline.Strip `json:"strip,omitempty"`   // a day each, for charts: in milliseconds, or in requests where all objectives count them
}

// Objective is how an objective was kept.
type Objective struct {
	metric.Objective
	Span      timeline.Span  `json:"span"`             // the window of the period's name, that which ends with it, or in which it ends
	Resources int            `json:"resources"`        // that were judged, those without evidence among them
	Tally     metric.Result  `json:"tally"`            // of all of them
	Figure    metric.Figure  `json:"figure"`           // of all of them; where each is judged alone the verdict is the worst
	Budget    *metric.Budget `json:"budget,omitempty"` // of all of them
	Worst     []Instance     `json:"worst,omitempty"`  // of resources that are judged alone, the ten worst that are not met
	Broken    int            `json:"broken,omitempty"` // how many of them are in breach
	Open      int            `json:"open,omitempty"`   // how many are undecided
}

// Exposure is how much data of a source would have been lost.
type Exposure struct {
	Source string `json:"source"`
	RPO    uint64 `json:"rpoMs"` // as promised, in milliseconds
	metric.Exposure
}

// Instance is a resource that is judged on its own.
type Instance struct {
	Resource string        `json:"resource"`
	Figure   metric.Figure `json:"figure"`
}

// Finding is what a reader of the report has to know.
type Finding struct {
	Path     string         `json:"path"`
	Rule     string         `json:"rule"`
	Severity opsec.Severity `json:"severity"`
	Text     string         `json:"text"`
}
