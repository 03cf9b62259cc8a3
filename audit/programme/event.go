package programme

// The actions of the events that a [Desk] records, and that its Authorizer is asked for.
const (
	ActionOpen      = "programme.open"
	ActionRevise    = "programme.revise"
	ActionAssign    = "programme.assign"
	ActionDismiss   = "programme.dismiss"
	ActionGuarantee = "programme.guarantee"
	ActionWaive     = "programme.waive"
	ActionRelease   = "programme.release"
	ActionFreeze    = "programme.freeze"
	ActionDraw      = "programme.draw"
	ActionPerform   = "programme.perform"
	ActionRaise     = "programme.raise"
	ActionAgree     = "programme.agree"
	ActionComplete  = "programme.complete"
	ActionVerify    = "programme.verify"
	ActionAccept    = "programme.accept"
	ActionLend      = "programme.lend"
	ActionUse       = "programme.use"
	ActionRecall    = "programme.recall"
	ActionIssue     = "programme.issue"
	ActionClose     = "programme.close"
	ActionCancel    = "programme.cancel"
)
