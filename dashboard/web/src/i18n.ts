import { createContext, useContext } from 'react';

export type Language = 'en' | 'zh';

/** Every text of the page: English, Chinese. {x} stands for a value. */
const texts = {
  overview: ['Overview', '总览'],
  hosts: ['Hosts', '主机'],
  hostsUp: ['Hosts up', '在线主机'],
  ofHosts: ['of {n}', '共 {n} 台'],
  silent: ['Silent', '失联'],
  silentHint: ['hosts that stopped reporting', '停止上报的主机'],
  firing: ['Alerts firing', '触发中的告警'],
  firingNow: ['Firing now', '正在触发'],
  noneSilent: ['every host reports', '所有主机均在上报'],
  noneFiring: ['all quiet', '一切正常'],
  bySeverity: ['{critical} critical, {warning} warning', '{critical} 严重，{warning} 警告'],
  ingest: ['Ingest', '接收速率'],
  samplesPerSecond: ['samples per second', '样本/秒'],
  host: ['Host', '主机'],
  group: ['Group', '组'],
  status: ['Status', '状态'],
  cpu: ['CPU', 'CPU'],
  last5m: ['last 5 min', '最近 5 分钟'],
  memory: ['Memory', '内存'],
  disk: ['Disk', '磁盘'],
  network: ['Network', '网络'],
  load: ['Load', '负载'],
  alerts: ['Alerts', '告警'],
  lastSeen: ['Last seen', '最后上报'],
  up: ['Up', '在线'],
  stale: ['Stale', '数据过期'],
  waiting: ['Waiting', '等待中'],
  filter: ['Filter hosts', '筛选主机'],
  sortBy: ['Sort by', '排序'],
  shown: ['{n} of {all}', '{n} / {all}'],
  noMatch: ['No host matches “{q}”.', '没有与“{q}”匹配的主机。'],
  clearFilter: ['Clear filter', '清除筛选'],
  waitingAgent: ['Waiting for the first agent…', '等待第一个 Agent…'],
  waitingAgentHint: [
    'As soon as an agent publishes to the broker, its host appears here by itself. Start one on any host:',
    '一旦有 Agent 向消息代理发布数据，主机会自动出现在这里。在任意主机上启动：',
  ],
  now: ['now', '刚刚'],
  ago: ['{t} ago', '{t}前'],
  live: ['Live', '实时'],
  connecting: ['Connecting', '连接中'],
  cut: ['Stream cut', '数据流中断'],
  offline: ['Disconnected', '连接断开'],
  cutTitle: ['The stream of metrics is cut', '指标数据流已中断'],
  cutHint: [
    'The dashboard has lost its link to the broker. What you see is from {t} and comes alive again by itself.',
    '看板与消息代理的连接已断开。当前显示的是 {t} 的数据，恢复后会自动更新。',
  ],
  offlineTitle: ['The server does not answer', '服务器无响应'],
  offlineHint: [
    'Trying to connect again. What you see is from {t}.',
    '正在重新连接。当前显示的是 {t} 的数据。',
  ],
  alertsUnavailable: ['Alerts cannot be loaded', '无法加载告警'],
  since: ['since {t}', '自 {t}'],
  more: ['{n} more', '还有 {n} 条'],
  light: ['Light', '浅色'],
  dark: ['Dark', '深色'],
  auto: ['As the system', '跟随系统'],
  colorScheme: ['Colour scheme', '配色'],
  language: ['Language', '语言'],
  back: ['All hosts', '全部主机'],
  uptime: ['Uptime', '运行时间'],
  kernel: ['System', '系统'],
  agent: ['Agent', 'Agent'],
  cores: ['{n} cores', '{n} 核'],
  timeRange: ['Time range', '时间范围'],
  backToLive: ['Back to live', '返回实时'],
  zoomHint: ['Drag over a plot to zoom, double-click to go back', '拖动可放大，双击返回'],
  cpuByMode: ['CPU by mode', 'CPU（按模式）'],
  loadAverage: ['Load average', '平均负载'],
  swap: ['Swap', '交换空间'],
  filesystems: ['File systems', '文件系统'],
  mount: ['Mounted on', '挂载点'],
  device: ['Device', '设备'],
  used: ['Used', '已用'],
  size: ['Size', '大小'],
  available: ['Available', '可用'],
  diskThroughput: ['Disk throughput', '磁盘吞吐'],
  diskOperations: ['Disk operations', '磁盘 IOPS'],
  diskUtilisation: ['Disk utilisation', '磁盘利用率'],
  networkTraffic: ['Network traffic', '网络流量'],
  networkErrors: ['Network errors and drops', '网络错误与丢包'],
  noData: ['No data in this time range', '此时间范围内没有数据'],
  historyFailed: ['History cannot be loaded', '无法加载历史数据'],
  retry: ['Try again', '重试'],
  unknownHost: ['No host named “{name}” has reported', '没有名为“{name}”的主机上报过数据'],
  hostSilent: ['This host has been silent for {t}', '该主机已失联 {t}'],
  hostSilentHint: [
    'The values below are the last that it sent. They move on as soon as it reports again.',
    '以下为其最后上报的数据，恢复上报后会自动更新。',
  ],
  notFound: ['There is nothing at this address', '此地址没有内容'],
  noSwap: ['This host has no swap', '该主机没有交换空间'],
  usedSpace: ['used', '已用'],
  totalSpace: ['total', '总量'],
  read: ['read', '读'],
  write: ['write', '写'],
  receive: ['in', '入'],
  transmit: ['out', '出'],
  receiveErrors: ['in errors', '入错误'],
  transmitErrors: ['out errors', '出错误'],
  receiveDrops: ['in drops', '入丢包'],
  transmitDrops: ['out drops', '出丢包'],
  cached: ['cache', '缓存'],
  free: ['free', '空闲'],
  navigation: ['Main navigation', '主导航'],
  agents: ['Agents', 'Agent'],
  rulesFailed: ['Rules cannot be loaded', '无法加载规则'],
  silencesFailed: ['Silences cannot be loaded', '无法加载静默'],
  hostsFailed: ['Hosts cannot be loaded', '无法加载主机'],
  noAlerts: ['No alert is firing', '没有触发中的告警'],
  counts: ['{n} firing, {silenced} silenced', '{n} 条触发，{silenced} 条已静默'],
  silence: ['Silence', '静默'],
  silenceFor: ['Silence {name} for', '静默 {name}'],
  hours: ['{n} h', '{n} 小时'],
  days: ['{n} d', '{n} 天'],
  comment: ['Comment', '备注'],
  commentHint: ['Why?', '原因？'],
  commentNone: ['silenced on the dashboard', '在看板上静默'],
  silenced: ['Silenced', '已静默'],
  inhibited: ['Inhibited', '已抑制'],
  until: ['until {t}', '至 {t}'],
  silences: ['Silences', '静默规则'],
  by: ['by {name}', '由 {name} 创建'],
  expire: ['Expire', '解除'],
  expireThis: ['Expire the silence {comment}', '解除静默 {comment}'],
  pendingSilence: ['from {t}', '自 {t} 起'],
  rules: ['Rules', '规则'],
  rule: ['Rule', '规则'],
  state: ['State', '状态'],
  health: ['Health', '健康'],
  evaluated: ['Last evaluation', '上次评估'],
  expression: ['Expression', '表达式'],
  noRules: ['No rule is loaded', '未加载规则'],
  ruleFiring: ['firing', '触发'],
  rulePending: ['pending', '待定'],
  ruleInactive: ['inactive', '未触发'],
  ruleUnknown: ['unknown', '未知'],
  ruleRecording: ['recording', '记录'],
  never: ['never', '从未'],
  groups: ['Groups', '组'],
  version: ['Version', '版本'],
  template: ['Template', '模板'],
  templateWanted: ['is to have {revision}', '目标版本 {revision}'],
  lag: ['Lag', '延迟'],
  spool: ['Spool', '缓冲'],
  spoolEmpty: ['empty', '空'],
  batches: ['{n} batches', '{n} 批'],
  dropped: ['{n} dropped', '丢弃 {n}'],
  refused: ['Refused', '拒绝'],
  refusedBy: ['What {name} refused', '{name} 拒绝的内容'],
  line: ['line {n}', '第 {n} 行'],
  noAgent: ['no agent', '无 Agent'],
  retire: ['Retire', '退役'],
  retireHost: ['Retire {name}', '退役 {name}'],
  retireHint: [
    'It leaves this list, and no more silence is written into its history, which stays. A host that reports again is back.',
    '该主机将从此列表移除，其历史中不再记录失联；已有历史数据保留。再次上报后会重新出现。',
  ],
  cancel: ['Cancel', '取消'],
  failed: ['That did not work: {reason}', '操作失败：{reason}'],
  skip: ['Skip to content', '跳到内容'],
} as const satisfies Record<string, readonly [string, string]>;

export type TextKey = keyof typeof texts;
export type Translate = (key: TextKey, values?: Record<string, string | number>) => string;

export function translator(language: Language): Translate {
  const column = language === 'zh' ? 1 : 0;
  return (key, values) =>
    texts[key][column].replace(/\{(\w+)\}/g, (whole, name: string) => String(values?.[name] ?? whole));
}

const storageKey = 'thump-language';

export function initialLanguage(): Language {
  const stored = localStorage.getItem(storageKey);
  if (stored === 'en' || stored === 'zh') return stored;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export function rememberLanguage(language: Language): void {
  localStorage.setItem(storageKey, language);
}

export interface Locale {
  language: Language;
  t: Translate;
  choose: (language: Language) => void;
}

export const LocaleContext = createContext<Locale>({
  language: 'en',
  t: translator('en'),
  choose: () => undefined,
});

export const useLocale = (): Locale => useContext(LocaleContext);
