//! The names of `trec_eval`, translated into ours: `ndcg_cut_10`, `map`, `P_10`, `ndcg.1=3,2=9`.
//!
//! Parameters follow an underscore, as `trec_eval` prints them, or a dot, as it takes them.

/// Names without parameters.
const PLAIN: [(&str, &str); 28] = [
    ("map", "AP"),
    ("gm_map", "GMAP"),
    ("Rprec", "Rprec"),
    ("bpref", "Bpref"),
    ("gm_bpref", "GMBpref"),
    ("recip_rank", "RR"),
    ("infAP", "infAP"),
    ("utility", "Utility"),
    ("11pt_avg", "AvgIPrec"),
    ("binG", "BinG"),
    ("G", "G"),
    ("ndcg", "nDCG"),
    ("ndcg_rel", "nDCGRel"),
    ("Rndcg", "RnDCG"),
    ("set_P", "SetP"),
    ("set_relative_P", "SetP(relative=True)"),
    ("set_recall", "SetR"),
    ("set_map", "SetAP"),
    ("set_F", "SetF"),
    ("num_q", "NumQ"),
    ("num_ret", "NumRet"),
    ("num_rel", "NumRel"),
    ("num_rel_ret", "NumRet(rel=1)"),
    ("num_nonrel_judged_ret", "NumNonRelRet"),
    ("rbp", "RBP(p=0.9)"),
    ("rbp_resid", "RBPResid(p=0.9)"),
    // The names under which ir_measures knows two settings of its measures.
    ("SetRelP", "SetP(relative=True)"),
    ("NumRelRet", "NumRet(rel=1)"),
];

/// Names with parameters: `{}` stands for what follows the name.
const FAMILIES: [(&str, &str); 14] = [
    ("ndcg_cut", "nDCG@{}"),
    ("map_cut", "AP@{}"),
    ("P", "P@{}"),
    ("recall", "R@{}"),
    ("relative_P", "P(relative=True)@{}"),
    ("success", "Success@{}"),
    ("unj", "Unjudged@{}"),
    ("iprec_at_recall", "IPrec@{}"),
    ("Rprec_mult", "Rprec(mult={})"),
    ("11pt_avg", "AvgIPrec(recall=[{}])"),
    ("utility", "Utility(weights=[{}])"),
    ("set_F", "SetF(beta={})"),
    ("ndcg", "nDCG(gains={{}})"),
    ("G", "G(gains={{}})"),
];

/// Returns our spelling of a name of `trec_eval`; `None` where it is none.
pub(super) fn translate(text: &str) -> Option<String> {
    if let Some((_, ours)) = PLAIN.iter().find(|(theirs, _)| *theirs == text) {
        return Some((*ours).to_owned());
    }
    FAMILIES.iter().find_map(|(theirs, ours)| {
        let parameters = text.strip_prefix(theirs)?.strip_prefix(['_', '.'])?;
        let starts = parameters.starts_with(|c: char| c.is_ascii_digit() || ".-".contains(c));
        // Gains are written `1=3,2=9` there and `{1:3,2:9}` here.
        starts.then(|| ours.replacen("{}", &parameters.replace('=', ":"), 1))
    })
}

/// Returns every name that can be translated, for suggestions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PLAIN.iter().chain(&FAMILIES).map(|(theirs, _)| *theirs)
}
