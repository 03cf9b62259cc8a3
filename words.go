package opsec

import (
	"errors"
	"slices"
)

// The conditions that callers of every room branch on. Rooms wrap them; test with [errors.Is].
var (
	// ErrDenied says that the actor may not do this. What an end user sees of it carries no more detail.
	ErrDenied = errors.New("denied")
	// ErrNotFound says that what was named does not exist, or that the actor may not know that it does.
	ErrNotFound = errors.New("not found")
	// ErrInvalid says that an argument, a policy or a record breaks its rules; nothing was changed.
	ErrInvalid = errors.New("invalid")
)

// Severity grades an event, a finding or a message. The empty value is unset.
type Severity string

// The grades.
const (
	SeverityInfo     Severity = "info"
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)

// Rank orders the grades from 1 ([SeverityInfo]) to 5 ([SeverityCritical]); it is 0 for anything else.
func (s Severity) Rank() int {
	return rank(s, SeverityInfo, SeverityLow, SeverityMedium, SeverityHigh, SeverityCritical)
}

// ServiceModel is what a provider sells (X.1642, clause 7.1); who answers for which layer depends on it.
type ServiceModel string

// The service models of clause 7.1: infrastructure, platform, software and network as a service.
const (
	IaaS ServiceModel = "IaaS"
	PaaS ServiceModel = "PaaS"
	SaaS ServiceModel = "SaaS"
	NaaS ServiceModel = "NaaS"
)

// Party is a side of a service agreement.
type Party string

// The parties.
const (
	CSP  Party = "CSP"  // the cloud service provider
	CSC  Party = "CSC"  // the cloud service customer
	Both Party = "both" // each for its part
)

// Class says how hard an event's recording must be. The empty value is invalid.
type Class string

// The classes of events.
const (
	Critical   Class = "critical"    // whoever causes it must not act when it cannot be recorded
	Standard   Class = "standard"    // spooled within bounds when a sink is slow; an overflow leaves a gap record
	BestEffort Class = "best-effort" // dropped first, and counted in the gap record
)

// Category selects the rules that [Event.Validate] applies. The empty value is any other activity.
type Category string

// The categories with rules of their own, both from clause 8.1.2.
const (
	Authentication Category = "authentication" // log-in, log-out: system, account, IP address, terminal, result
	Authorization  Category = "authorization"  // IP address, operator, granted and cancelled permissions, result
)

// Outcome is how it ended. The empty value is invalid.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Failure Outcome = "failure" // tried, did not work
	Denied  Outcome = "denied"  // refused before it was tried
	Pending Outcome = "pending" // an intent: see [Begin]
	Unknown Outcome = "unknown" // may have happened: the connection died, the process was killed
)

// OutcomeOf returns [Success] for nil, [Denied] for an error that wraps [ErrDenied], and [Failure] for any other.
func OutcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return Success
	case errors.Is(err, ErrDenied):
		return Denied
	}
	return Failure
}

// Sensitivity marks who may read a value. The empty value is unmarked, and counts as [Personal].
type Sensitivity string

// The marks, from the least to the most sensitive.
const (
	Public   Sensitivity = "public"   // anybody who sees the log
	Tenant   Sensitivity = "tenant"   // the tenant concerned, and the provider
	Personal Sensitivity = "personal" // relates to a person: shown by need, erased on demand
	Digest   Sensitivity = "digest"   // the keyed digest of a Secret: comparable under one key, never readable
	Secret   Sensitivity = "secret"   // never stored; a Recorder replaces it by a Digest, or drops its value
)

// Exceeds reports whether s is more sensitive than t. An unmarked value counts as [Personal], an unknown mark as
// more sensitive than any other.
func (s Sensitivity) Exceeds(t Sensitivity) bool { return s.rank() > t.rank() }

func (s Sensitivity) rank() int {
	switch s {
	case Public:
		return 1
	case Tenant:
		return 2
	case Personal, "":
		return 3
	case Digest:
		return 4
	case Secret:
		return 5
	}
	return 6
}

// rank is the place of word in list, counted from 1, or 0.
func rank[T ~string](word T, list ...T) int { return slices.Index(list, word) + 1 }
