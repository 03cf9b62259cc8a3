package keymgmt

// Dialect is a key manager's own list of statuses.
type Dialect string

// The dialects.
const (
	KMIP Dialect = "KMIP" // the State enumeration of the OASIS KMIP specification
	AWS  Dialect = "AWS"  // KeyState of AWS KMS
	GCP  Dialect = "GCP"  // CryptoKeyVersionState of Google Cloud KMS
	Tink Dialect = "Tink" // KeyStatusType of Tink
)

// spoken is a status, and what it leaves out of the state.
type spoken struct{ status, lost string }

// heard is a state, and what it leaves out of the status.
type heard struct {
	state State
	lost  string
}

// What gets lost.
const (
	neverUsed   = "that it has never been active"
	wasActive   = "that it has been active, and can be resumed"
	stillOpens  = "that it still processes"
	compromised = "that it is compromised"
	noMaterial  = "that its material has not come"
	scheduled   = "that it is to be destroyed, and when"
	notWhole    = "that its destruction has failed"
	elsewhere   = "that its material is with a third party"
	unkept      = "all of it: a deleted key has no status there"
)

// A state is never told as a status in which the key could be used for more; Tink is the exception, and says so.
var speech = map[Dialect][states]spoken{
	KMIP: {
		PreActivation:        {"Pre-Active", ""},
		Active:               {"Active", ""},
		Suspended:            {"Pre-Active", wasActive},
		Deactivated:          {"Deactivated", ""},
		Compromised:          {"Compromised", ""},
		Destroyed:            {"Destroyed", ""},
		DestroyedCompromised: {"Destroyed Compromised", ""},
		Importing:            {"Pre-Active", noMaterial},
		DestroyScheduled:     {"Pre-Active", scheduled},
		DestroyFailed:        {"Pre-Active", notWhole},
		External:             {"Active", elsewhere},
	},
	AWS: {
		PreActivation:        {"Disabled", neverUsed},
		Active:               {"Enabled", ""},
		Suspended:            {"Disabled", ""},
		Deactivated:          {"Disabled", stillOpens},
		Compromised:          {"Disabled", compromised},
		Destroyed:            {"", unkept},
		DestroyedCompromised: {"", unkept},
		Importing:            {"PendingImport", ""},
		DestroyScheduled:     {"PendingDeletion", ""},
		DestroyFailed:        {"Unavailable", notWhole},
		External:             {"Enabled", elsewhere},
	},
	GCP: {
		PreActivation:        {"DISABLED", neverUsed},
		Active:               {"ENABLED", ""},
		Suspended:            {"DISABLED", ""},
		Deactivated:          {"DISABLED", stillOpens},
		Compromised:          {"DISABLED", compromised},
		Destroyed:            {"DESTROYED", ""},
		DestroyedCompromised: {"DESTROYED", compromised},
		Importing:            {"PENDING_IMPORT", ""},
		DestroyScheduled:     {"DESTROY_SCHEDULED", ""},
		DestroyFailed:        {"EXTERNAL_DESTRUCTION_FAILED", "that the copy left may be on this side"},
		External:             {"ENABLED", elsewhere},
	},
	Tink: {
		PreActivation:        {"DISABLED", neverUsed},
		Active:               {"ENABLED", ""},
		Suspended:            {"DISABLED", ""},
		Deactivated:          {"ENABLED", "that it does not protect: it must not be the primary"},
		Compromised:          {"DISABLED", compromised},
		Destroyed:            {"DESTROYED", ""},
		DestroyedCompromised: {"DESTROYED", compromised},
		Importing:            {"DISABLED", noMaterial},
		DestroyScheduled:     {"DISABLED", scheduled},
		DestroyFailed:        {"DISABLED", notWhole},
		External:             {"ENABLED", elsewhere},
	},
}

// A status is never heard as a state in which the key could be used for more.
var hearing = map[Dialect]map[string]heard{
	KMIP: {
		"Pre-Active":            {PreActivation, ""},
		"Active":                {Active, ""},
		"Deactivated":           {Deactivated, ""},
		"Compromised":           {Compromised, ""},
		"Destroyed":             {Destroyed, ""},
		"Destroyed Compromised": {DestroyedCompromised, ""},
	},
	AWS: {
		"Creating":               {Importing, "that it is being made, not imported"},
		"Enabled":                {Active, ""},
		"Disabled":               {Suspended, ""},
		"PendingDeletion":        {DestroyScheduled, ""},
		"PendingImport":          {Importing, ""},
		"PendingReplicaDeletion": {DestroyScheduled, "that its replicas have to be deleted first"},
		"Unavailable":            {Suspended, "that its key store is out of reach, which nobody has decided"},
		"Updating":               {Suspended, "that it is being changed, and comes back by itself"},
	},
	GCP: {
		"PENDING_GENERATION":           {Importing, "that it is being made, not imported"},
		"ENABLED":                      {Active, ""},
		"DISABLED":                     {Suspended, ""},
		"DESTROYED":                    {Destroyed, ""},
		"DESTROY_SCHEDULED":            {DestroyScheduled, ""},
		"PENDING_IMPORT":               {Importing, ""},
		"IMPORT_FAILED":                {Importing, "that the import has failed"},
		"GENERATION_FAILED":            {Importing, "that making it has failed"},
		"PENDING_EXTERNAL_DESTRUCTION": {DestroyFailed, "that the third party has not answered yet"},
		"EXTERNAL_DESTRUCTION_FAILED":  {DestroyFailed, "that the copy left is with a third party"},
	},
	Tink: {
		"UNKNOWN_STATUS": {Suspended, "that nothing is known"},
		"ENABLED":        {Active, ""},
		"DISABLED":       {Suspended, ""},
		"DESTROYED":      {Destroyed, ""},
	},
}

// In returns the status that stands for s in another dialect, and in words what that does not say; "" when it says all.
// Except for Tink's ENABLED of a deactivated key, which only opens as long as another key is the primary, a key can be
// used for no more by that status than by its state. The status is empty where there is none, as for a key that AWS
// KMS has deleted, for an unknown state or dialect.
func (s State) In(d Dialect) (status, lost string) {
	if s == 0 || s >= states || speech[d][s] == (spoken{}) {
		return "", "all of it: unknown"
	}
	said := speech[d][s]
	return said.status, said.lost
}

// State returns the state that stands for a status of this dialect, and in words what it does not say; "" when it says
// all. A key can be used for no more by that state than by its status. An unknown status is an error that wraps
// [opsec.ErrInvalid].
func (d Dialect) State(status string) (s State, lost string, err error) {
	h, known := hearing[d][status]
	if !known {
		return 0, "", invalid("dialect %.16q: a status of %d bytes that it does not have", string(d), len(status))
	}
	return h.state, h.lost, nil
}
