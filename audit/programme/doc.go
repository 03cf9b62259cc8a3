// Package programme runs internal audits: plan, team, scope, samples, results, findings, and what became of them.
package programme
