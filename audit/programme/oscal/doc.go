// Package oscal writes audits and catalogues as documents of OSCAL 1.2.1, the Open Security Controls Assessment
// Language of the US National Institute of Standards and Technology, for tools that read it: plan, results, and what is
// still open.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.1: audit activities are planned and fully recorded; 7.2.2.5: their results
// are visible to the customers concerned.
//
// # Most of what you need
//
//	o := oscal.Options{Provider: "cloud.example"}
//	plan, err := oscal.Plan(audit, o)         // assessment-plan.json
//	results, err := oscal.Results(audit, o)   // assessment-results.json
//	poam, err := oscal.POAM(audit, o)         // plan-of-action-and-milestones.json; ErrNothingOpen when nothing is
//	controls, err := oscal.Catalogue(catalogue.X1642(), published) // catalog.json
//	o.Tenant = "acme"                         // and the same three for a customer
//
// # How it is said in OSCAL
//
// A requirement is a control with one statement: "x1642-8.11.1-1" and "x1642-8.11.1-1_smt". A procedure is an activity
// and a task, a result an observation, evidence a resource that is named by its digest (RFC 6920), a finding of ours a
// risk and one finding for each requirement that is not met. An action is the risk's remediation, and its due date a
// milestone.
//
// OSCAL knows two states of a target, satisfied and not-satisfied. For a requirement that no finding names:
//
//	satisfied, reason pass       every item drawn has a result, at least one passed, the others are not applicable
//	not-satisfied, reason fail   an item failed
//	not-satisfied, reason other  nothing failed, and something was not tested or has no result
//	no finding                   nothing is applicable: the control is excluded from what was reviewed
//
// What was not tested is thus never satisfied; the reason, a property "status" with the value "not-tested" and a remark
// with the numbers tell it from what failed. A state is that of the audit: mending what a finding says closes its risk,
// and leaves the finding. For a tenant it is judged by its own items, the provider's, and findings about either.
//
// A risk is open; remediating, once there is an action; closed, when every action is verified; and deviation-approved
// while it is accepted. Whether it still is, is judged at the time of the audit's last step, which last-modified says
// too: no clock is read; version is the number of steps. An action that its owner calls completed is planned until
// somebody else has verified it.
//
// # Promises
//
// The same audit gives the same bytes. A person, an item, a finding has the same identifier in all documents and
// revisions of one provider. Every reference resolves: in the document, or in the plan that results name. Texts are
// escaped where OSCAL takes markup, and are read as they stand.
//
// A tenant's document has its own items and findings, the provider's own items as numbers, and no person. Every other
// text that has the name of another tenant in it, or of another's item, is withheld as a whole.
//
// # What it will not do
//
// Read OSCAL. Describe the system: there is no system security plan here, so the plan imports a resource that has the
// scope, unless you name a plan of your own.
package oscal
