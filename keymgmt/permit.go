package keymgmt

// Role is what a principal may be to a keyset. For one keyset they are disjoint: no person has two.
type Role string

// The roles.
const (
	Administrator Role = "administrator" // decides on the life of keys
	CustodianRole Role = "custodian"     // holds backups and shares, imports and recovers
	Operator      Role = "operator"      // uses keys
	Auditor       Role = "auditor"       // sees all, changes nothing
)

// Roles says which persons have which role. Who is nobody's person ([opsec.Actor].Person) has none.
type Roles map[Role][]string
