package keymgmt

// The actions of the events of a manager (package lifecycle): "keymgmt." and the verb. What is refused has the same action,
// and the outcome Denied. They belong to the tenant of the keyset; the last three, to the provider.
const (
	ActionCreate        = "keymgmt." + string(Create)
	ActionUpdate        = "keymgmt." + string(Update)
	ActionGrant         = "keymgmt." + string(Grant)
	ActionRetire        = "keymgmt." + string(Retire)
	ActionGenerate      = "keymgmt." + string(Generate)
	ActionRotate        = "keymgmt." + string(Rotate)
	ActionExpect        = "keymgmt." + string(Expect)
	ActionImport        = "keymgmt." + string(Import)
	ActionLink          = "keymgmt." + string(Link)
	ActionActivate      = "keymgmt." + string(Activate)
	ActionSuspend       = "keymgmt." + string(Suspend)
	ActionResume        = "keymgmt." + string(Resume)
	ActionDeactivate    = "keymgmt." + string(Deactivate)
	ActionChangePeriods = "keymgmt." + string(ChangePeriods)
	ActionCompromise    = "keymgmt." + string(Compromise)
	ActionCount         = "keymgmt." + string(Count)
	ActionSchedule      = "keymgmt." + string(Schedule)
	ActionCancel        = "keymgmt." + string(Cancel)
	ActionDestroy       = "keymgmt." + string(Destroy)
	ActionForceDestroy  = "keymgmt." + string(ForceDestroy)
	ActionUnlink        = "keymgmt." + string(Unlink)
	ActionFail          = "keymgmt." + string(Fail) // a check after a destruction has failed
	ActionBackUp        = "keymgmt." + string(BackUp)
	ActionRecover       = "keymgmt." + string(Recover)
	ActionExport        = "keymgmt." + string(Reveal)
	ActionJoin          = "keymgmt.join"
	ActionLeave         = "keymgmt.leave"
	ActionFence         = "keymgmt.fence" // a node has been silent for longer than its fence
)
