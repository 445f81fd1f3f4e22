"use client";

import { parseAsStringLiteral, useQueryState } from "nuqs";
import { useState } from "react";

import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";

import { ApiKeys } from "./api-keys";
import { LoginSessions } from "./login-sessions";
import { Passkeys } from "./passkeys";
import { PasswordForm } from "./password-form";
import { ProfileForm } from "./profile-form";
import { SecondFactor } from "./second-factor";

const TABS = ["profile", "security", "sessions", "api-keys"] as const;

export function SettingsTabs() {
  const [tab, setTab] = useQueryState(
    "tab",
    parseAsStringLiteral(TABS).withDefault("profile").withOptions({ history: "push" }),
  );
  const [busy, setBusy] = useState(false);
  return (
    <Tabs value={tab} onValueChange={(value: (typeof TABS)[number]) => void setTab(value)}>
      <TabsList>
        <Tab value="profile">Profile</Tab>
        <Tab value="security">Security</Tab>
        <Tab value="sessions">Sessions</Tab>
        <Tab value="api-keys">API keys</Tab>
      </TabsList>
      <TabPanel value="profile" className="grid max-w-3xl gap-6">
        <ProfileForm />
      </TabPanel>
      {/* Begun, it stays when another tab is looked at: recovery codes are shown once. */}
      <TabPanel value="security" keepMounted={busy} className="grid max-w-3xl gap-6">
        <PasswordForm />
        <SecondFactor onBusy={setBusy} />
        <Passkeys />
      </TabPanel>
      <TabPanel value="sessions">
        <LoginSessions />
      </TabPanel>
      <TabPanel value="api-keys">
        <ApiKeys />
      </TabPanel>
    </Tabs>
  );
}
