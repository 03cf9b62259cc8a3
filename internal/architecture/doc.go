// Package architecture holds the house plan as tests: which room may import which, where third-party modules stay, how
// large a file may grow, and that what README.md and docs/ claim exists. It has no code of its own. Each rule is also
// run over a small tree that breaks it (see TestEveryRuleCanFail).
package architecture
