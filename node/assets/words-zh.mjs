// 中文用语：与 words-en.mjs 的键相同。

export const colon = '：';

/** Names of countries, which few pages show. */
export const countries = () => import('./countries-zh.mjs');

/** What few pages say, and why few steps do not hold. */
export const rare = () => Promise.all([import('./more.mjs'), import('./rare-zh.mjs')]);
export const reasons = () => import('./why-zh.mjs');

export const WORDS = {
  network: '信任起点：网络文件',
  bytes: '记录内容完整',
  receipt: '已登记入日志',
  checkpoint: '日志检查点',
  witnesses: '见证方',
  key: '签署者的密钥',
  signature: '签名',
  cited: '所依据的记录',
  revocations: '密钥此后是否停用',
  page: '本页所示记录',
  words: '本页的其他文字',
  state: '本页所示状态',
  follows: '与记录一致；是否另有未决疑问仅为节点自称',
  doubted: '无法确定在密钥更换之前或之后：',
  ok: '通过',
  failed: '未通过',
  missing: '资料不全',
  skipped: '未进行',
  unchecked: '未核对',
  alone: '本网络没有见证方',
  verdict_ok: '本页所示记录核对通过：已签名、已登记、未被改动。未核对：密钥此后是否停用。',
  verdict_incomplete: '能核对的部分均通过，但并非全部都能核对。%。',
  verdict_failed: '记录未通过核对，请勿依赖。%。',
  verdict_cannot: '此处无法核对：%。请下载证据包并使用 hallmark-verify。',
};

/** Why a step is often not checked (why-zh.mjs has the rest). */
export const WHY = {
  'page-found': '以下为本节点自己的核查结论：',
  'no-log': '此处没有登记机构的完整日志',
  'page-hidden': '部分记录未公开，只有获准者才能核对',
  'page-words-own': '没有任何记录载明',
  'state-own': '仅为节点自称，没有记录说明',
  offline: '无法取得记录',
  status: '节点未提供记录',
  script: '脚本的一部分未能加载',
};
