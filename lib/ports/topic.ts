/** Where alarms are sent, as far as it is to be known whether anybody hears them. */
export interface AlarmTopic {
  /** For people. */
  readonly name: string;
  /** Who is told, and who was asked and hasn't agreed yet. @throws CertkeepError where that can't be known */
  subscriptions(): Promise<{ readonly confirmed: number; readonly pending: number }>;
}
