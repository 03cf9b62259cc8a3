package accounts

import (
	"slices"

	"github.com/cloudopsec/opsec"
)

// need is a sequence, or something else, without which a kind of finding cannot be judged.
type need string

const (
	needAccounts     need = "accounts"
	needEntitlements need = "entitlements"
	needUses         need = "uses"
	needSignIns      need = "sign-ins"
	needPeople       need = "people"
	needHoldings     need = "holdings"
	needRoles        need = "roles in the policy"
	needKey          need = "key for digests"
	needSpan         need = "uses of a span as long as the policy's UnusedAfter"
)

// kindRule is how bad a kind is, and what it takes to judge it.
type kindRule struct {
	kind     Kind
	severity opsec.Severity
	needs    []need
}

// kindRules is in the order in which the findings about one account come.
var kindRules = [...]kindRule{
	{Unowned, opsec.SeverityMedium, []need{needAccounts}},
	{Unapproved, opsec.SeverityHigh, []need{needAccounts}},
	{Misnamed, opsec.SeverityLow, []need{needAccounts}},
	{Overdue, opsec.SeverityHigh, []need{needAccounts, needEntitlements}},
	{Unreviewed, opsec.SeverityLow, []need{needAccounts}},
	{Dormant, opsec.SeverityMedium, []need{needAccounts}},
	{Unregistered, opsec.SeverityCritical, []need{needAccounts, needEntitlements, needUses, needSignIns}},
	{OverGranted, opsec.SeverityHigh, []need{needAccounts, needEntitlements}},
	{OverAuthorised, opsec.SeverityLow, []need{needAccounts, needEntitlements, needUses, needSpan}},
	{UnderAuthorised, opsec.SeverityLow, []need{needAccounts, needEntitlements, needRoles}},
	{Refused, opsec.SeverityMedium, []need{needAccounts, needUses}},
	{BeyondMain, opsec.SeverityHigh, []need{needAccounts, needEntitlements}},
	{AbandonedAttempt, opsec.SeverityMedium, []need{needAccounts, needSignIns}},
	{Unclosed, opsec.SeverityLow, []need{needAccounts, needSignIns}},
	{Unopened, opsec.SeverityMedium, []need{needAccounts, needSignIns}},
	{Shared, opsec.SeverityMedium, []need{needAccounts, needSignIns}},
	{Unjudged, opsec.SeverityMedium, nil},
	{InventedAttempt, opsec.SeverityMedium, []need{needAccounts, needSignIns, needKey}},
	{Orphan, opsec.SeverityHigh, []need{needPeople, needHoldings}},
	{DuplicateMain, opsec.SeverityMedium, []need{needHoldings}},
}

func rule(k Kind) *kindRule {
	for i := range kindRules {
		if kindRules[i].kind == k {
			return &kindRules[i]
		}
	}
	return nil
}

// Kinds returns all kinds of findings, in the order in which those about one account come.
func Kinds() []Kind {
	kinds := make([]Kind, len(kindRules))
	for i, r := range kindRules {
		kinds[i] = r.kind
	}
	return kinds
}

// Severity returns how bad a finding of this kind is, unless something makes it worse: an attempt with an abandoned
// account that succeeds is critical. It is empty for an unknown kind.
func (k Kind) Severity() opsec.Severity {
	if r := rule(k); r != nil {
		return r.severity
	}
	return ""
}

// lacks returns what is missing to judge a kind.
func (r *kindRule) lacks(have []need) []need {
	var missing []need
	for _, n := range r.needs {
		if !slices.Contains(have, n) {
			missing = append(missing, n)
		}
	}
	return missing
}
